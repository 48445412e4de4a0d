using KafkaEventSourcing.Embedded.MongoDB.Query;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>findAndModify: changes one document and returns it.</summary>
internal static class FindAndModifyCommand
{
    public static Task<BsonDocument> Run(CommandContext context)
    {
        CollectionDefinition collection = context.Store.GetOrCreate(context.Database, context.CollectionName);
        return context.Write(transaction =>
        {
            BsonDocument filter = context.Document("query");
            SortPattern? sort = context.Document("sort") is { ElementCount: > 0 } pattern ? SortPattern.Parse(pattern) : null;
            BsonDocument? before = context.Find(collection, filter, transaction, sort, first: 1).FirstOrDefault();
            BsonDocument? result = before;
            var last = new BsonDocument { { "n", before is null ? 0 : 1 } };
            if (context.Flag("remove"))
            {
                if (before is not null)
                    context.Store.Delete(collection, before, transaction);
            }
            else
            {
                UpdateProgram program = UpdateProgram.Parse(context.Command["update"]);
                last.Add("updatedExisting", before is not null);
                BsonDocument? after = before is null ? null : program.Apply(before, isInsert: false);
                if (before is not null && after != before)
                {
                    context.Store.Update(collection, before, after!, transaction);
                }
                else if (before is null && context.Flag("upsert"))
                {
                    after = WriteStatements.Upsert(context.Store, collection, program, filter, transaction);
                    last["n"] = 1;
                    last.Add("upserted", after["_id"]);
                }

                if (context.Flag("new"))
                    result = after;
            }

            if (result is not null && context.Document("fields") is { ElementCount: > 0 } fields)
                result = Projection.Parse(fields).Apply(result);
            return new BsonDocument { { "lastErrorObject", last }, { "value", (BsonValue?)result ?? BsonNull.Value } };
        });
    }
}
