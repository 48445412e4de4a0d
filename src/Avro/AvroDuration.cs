using System.Text.Json.Serialization;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// Avro's <c>duration</c>: months, days and milliseconds, which are not converted into each other, as months and days differ in length.
/// Two are equal when all three are.
/// </summary>
/// <param name="Months">How many months.</param>
/// <param name="Days">How many days.</param>
/// <param name="Milliseconds">How many milliseconds.</param>
[method: JsonConstructor]
public readonly record struct AvroDuration(uint Months, uint Days, uint Milliseconds);
