using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Cli.DeadLetters;

/// <summary>A letter as one line of JSON for programs.</summary>
internal static class DeadLetterJson
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Of(DeadLetter letter)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            json.WriteString("topic", letter.Topic);
            json.WriteNumber("partition", letter.Partition);
            json.WriteNumber("offset", letter.Offset);
            if (letter.AggregateId.IsDefault)
                json.WriteNull("aggregateId");
            else
                json.WriteString("aggregateId", letter.AggregateId.Value);
            json.WriteString("cause", letter.Cause);
            json.WriteString("message", letter.Message);
            json.WriteBoolean("queued", letter.IsQueued);
            json.WriteString("originTopic", letter.OriginTopic);
            json.WriteNumber("originOffset", letter.OriginOffset);
            json.WriteString("parkedAt", letter.ParkedAt.UtcDateTime);
            if (letter.Resolution is { } resolution)
            {
                json.WriteStartObject("resolution");
                json.WriteString("what", resolution.IsDiscarded ? "discarded" : "retried");
                json.WriteString("outcome", resolution.Outcome);
                json.WriteString("by", resolution.By);
                json.WriteString("reason", resolution.Reason);
                json.WriteString("time", resolution.Time.UtcDateTime);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
