using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>killOp: asks an operation to end.</summary>
internal static class KillOpCommand
{
    public static BsonDocument Run(CommandContext context)
    {
        context.Server.Operations.Kill(OperationTable.IdOf(context.Command.GetValue("op", BsonNull.Value)));
        return new BsonDocument("info", "attempting to kill op");
    }
}
