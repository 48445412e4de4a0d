using System.Reflection;
using Confluent.SchemaRegistry;

namespace KafkaEventSourcing.Streamiz;

/// <summary>A registry of one test, in memory: it knows what codecs ask for, and nothing else of the interface.</summary>
internal class MemoryRegistry : DispatchProxy
{
    private readonly Lock _lock = new();
    private readonly List<string> _schemas = [];

    internal static ISchemaRegistryClient Create() => Create<ISchemaRegistryClient, MemoryRegistry>();

    /// <inheritdoc/>
    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        switch (targetMethod?.Name, args?[0])
        {
            case (nameof(ISchemaRegistryClient.RegisterSchemaAsync), _) when args![1] is Schema schema:
                return Task.FromResult(IdOf(schema.SchemaString));
            case (nameof(ISchemaRegistryClient.GetSchemaAsync), int id):
                lock (_lock)
                {
                    return id > 0 && id <= _schemas.Count
                        ? Task.FromResult(new Schema(_schemas[id - 1], SchemaType.Avro))
                        : Task.FromException<Schema>(new SchemaRegistryException("Schema not found", System.Net.HttpStatusCode.NotFound,
                            40403));
                }

            case (nameof(IDisposable.Dispose), _):
                return null;
            default:
                throw new NotSupportedException($"The registry of a test does not answer {targetMethod?.Name}.");
        }
    }

    private int IdOf(string schema)
    {
        lock (_lock)
        {
            int known = _schemas.IndexOf(schema);
            if (known < 0)
            {
                _schemas.Add(schema);
                known = _schemas.Count - 1;
            }

            return known + 1;
        }
    }
}
