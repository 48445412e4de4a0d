using System.Globalization;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>
/// Records of a subscription's topic, which is compacted: the key says what a record is, the value is text or JSON. A parked aggregate and
/// a request are there until a record without value takes them away; the one of a request has the answer in a header.
/// </summary>
internal static class LedgerFormat
{
    public const string Position = "position";
    public const string Begin = "begin/";
    public const string Parked = "parked/";
    public const string Skipped = "skipped/";
    public const string Request = "request/";

    private const string AnswerHeader = "kes_answer";
    private const int MaxErrorLength = 2_000;

    public static Message<byte[], byte[]?> PositionAt(LedgerMark mark) => Of(Position, mark.ToBytes());

    /// <summary>
    /// Where a new subscription begins. Several nodes may write one, each under a key of its own: the first in the log counts.
    /// </summary>
    public static Message<byte[], byte[]?> BeginAt(LedgerMark mark, DateTimeOffset now) =>
        Of($"{Begin}{Guid.CreateVersion7(now):N}", mark.ToBytes());

    public static Message<byte[], byte[]?> ParkedAt(ParkedAggregate parked) =>
        Of(Parked + parked.AggregateId, JsonSerializer.SerializeToUtf8Bytes(parked, LedgerJson.Default.ParkedAggregate));

    public static Message<byte[], byte[]?> Unparked(AggregateId aggregate) => Of(Parked + aggregate.Value, null);

    /// <summary>Whether <paramref name="record"/> says that <paramref name="aggregate"/> is parked no more.</summary>
    public static bool IsUnparked(Message<byte[], byte[]?> record, string aggregate) =>
        record.Value is null && record.Key.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(Parked + aggregate));

    public static Message<byte[], byte[]?> SkippedAt(SkippedEvent skipped) =>
        Of(string.Create(CultureInfo.InvariantCulture, $"{Skipped}{skipped.Event.Offset}"),
            JsonSerializer.SerializeToUtf8Bytes(skipped, LedgerJson.Default.SkippedEvent));

    public static Message<byte[], byte[]?> Asked(SubscriptionRequest request) =>
        Of(Request + request.Id, JsonSerializer.SerializeToUtf8Bytes(request, LedgerJson.Default.SubscriptionRequest));

    public static Message<byte[], byte[]?> Answered(string request, SubscriptionAnswer answer)
    {
        Message<byte[], byte[]?> message = Of(Request + request, null);
        message.Headers = new Headers
        {
            { AnswerHeader, JsonSerializer.SerializeToUtf8Bytes(answer, LedgerJson.Default.SubscriptionAnswer) },
        };
        return message;
    }

    /// <summary>The answer to <paramref name="request"/>, if <paramref name="record"/> is it.</summary>
    public static SubscriptionAnswer? AnswerTo(string request, ConsumeResult<byte[], byte[]> record) =>
        record.Message.Value is null
            && KeyOf(record) == Request + request
            && CloudEventHeaders.Find(record.Message.Headers, AnswerHeader) is { } answer
            ? JsonSerializer.Deserialize(answer, LedgerJson.Default.SubscriptionAnswer)
            : null;

    /// <summary>The request that <paramref name="record"/> is; null: it is something else.</summary>
    /// <exception cref="InvalidDataException">It is under the key of a request and is none.</exception>
    public static SubscriptionRequest? RequestOf(ConsumeResult<byte[], byte[]> record) =>
        record.Message.Value is { } value && KeyOf(record).StartsWith(Request, StringComparison.Ordinal)
            ? Read(record, value, LedgerJson.Default.SubscriptionRequest)
            : null;

    public static string KeyOf(ConsumeResult<byte[], byte[]> record) => RecordIds.TryDecode(record.Message.Key, out string? key) ? key : "";

    public static T Read<T>(ConsumeResult<byte[], byte[]> record, byte[] value,
        System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(value, type) ?? throw Foreign(record, "its value is null");
        }
        catch (JsonException wrong)
        {
            throw Foreign(record, wrong.Message);
        }
    }

    public static InvalidDataException Foreign(ConsumeResult<byte[], byte[]> record, string what) =>
        new($"The record {record.Topic} {record.Partition.Value}@{record.Offset.Value} is not of a subscription's topic: {what}. Somebody "
            + $"else has written there.");

    public static string Shortened(string error) => error.Length <= MaxErrorLength ? error : $"{error[..MaxErrorLength]}…";

    private static Message<byte[], byte[]?> Of(string key, byte[]? value) =>
        new() { Key = Encoding.UTF8.GetBytes(key), Value = value, Headers = [] };
}
