using System.Text.Json;
using KafkaEventSourcing.Hosting.Verification;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>The report of <c>schemas check</c> for programs.</summary>
internal static class SchemaCheckJson
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static string Of(SchemaCheckReport report) => JsonSerializer.Serialize(
        new
        {
            report.IsReadable,
            Schemas = report.Uses.Select(u => new
            {
                u.Topic,
                u.Reading.Schema,
                u.Reading.WriterType,
                u.Reading.ReadAs,
                u.Reading.IsOwn,
                u.Records,
                u.Upcast,
                u.Ignored,
                u.Failures,
                u.FirstFailure,
                u.Reading.Differences,
                u.Reading.Problems,
            }),
            report.Aggregates,
            report.ReadModels,
            report.Unread,
            report.MissingSnapshots,
        },
        Options);
}
