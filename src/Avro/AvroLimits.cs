using System.Text;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// How much a value may hold. What is written obeys the same limits as what is read, so that what is written can be read.
/// </summary>
public static class AvroLimits
{
    /// <summary>
    /// How many records, arrays and maps may be nested in one another. A message of some hundred kilobytes can have a hundred thousand,
    /// which would be the end of the stack and of the process; a document of MongoDB has room for 100, which this leaves.
    /// </summary>
    public const int MaxDepth = 64;

    /// <summary>
    /// How many items that take no byte, such as records without fields, the arrays of a value may have in all: their number is not bounded
    /// by the length of the message.
    /// </summary>
    public const int MaxEmptyItems = 65_536;

    /// <summary>UTF-8 that refuses what is none.</summary>
    internal static UTF8Encoding Utf8 { get; } = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
}
