using System.Globalization;
using System.Linq;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>Which values the default of a field may have: those that its type holds, in Avro and in C#.</summary>
internal static class DefaultValue
{
    // Year 1 to 9999, which are the times that C# has.
    private const long FirstDay = -719_162;
    private const long LastDay = 2_932_896;
    private const long MillisPerDay = 86_400_000;
    private const long MicrosPerDay = 86_400_000_000;

    public static bool Fits(JsonNode value, AvroType type) => type.Kind switch
    {
        AvroKind.Boolean => value.Kind == JsonKind.Boolean,
        AvroKind.Int => IsWhole(value, int.MinValue, int.MaxValue),
        AvroKind.Long => IsWhole(value, long.MinValue, long.MaxValue),
        AvroKind.Date => IsWhole(value, FirstDay, LastDay),
        AvroKind.TimestampMillis => IsWhole(value, FirstDay * MillisPerDay, (LastDay + 1) * MillisPerDay - 1),
        AvroKind.TimestampMicros => IsWhole(value, FirstDay * MicrosPerDay, (LastDay + 1) * MicrosPerDay - 1),
        AvroKind.Float => IsNumber(value, float.MaxValue),
        AvroKind.Double => IsNumber(value, double.MaxValue),
        AvroKind.Text => value.Kind == JsonKind.Text && IsUnicode(value.Raw),
        AvroKind.Bytes => value.Kind == JsonKind.Text && value.Raw.All(c => c <= byte.MaxValue),
        AvroKind.Array => value.Kind == JsonKind.Array,
        AvroKind.Map => value.Kind == JsonKind.Object,
        AvroKind.Nullable => type.NullFirst ? value.Kind == JsonKind.Null : Fits(value, type.Inner!),
        _ => type.Named!.IsEnum
            ? value.Kind == JsonKind.Text && type.Named.Node["symbols"]!.Items.Any(s => s.Raw == value.Raw)
            : value.Kind == JsonKind.Object,
    };

    private static bool IsWhole(JsonNode value, long least, long most) =>
        value.Kind == JsonKind.Number
            && long.TryParse(value.Raw, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
            && number >= least
            && number <= most;

    private static bool IsNumber(JsonNode value, double most) =>
        value.Kind == JsonKind.Number
            && double.TryParse(value.Raw, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            && number >= -most
            && number <= most;

    private static bool IsUnicode(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
                i++;
            else if (char.IsSurrogate(text[i]))
                return false;
        }

        return true;
    }
}
