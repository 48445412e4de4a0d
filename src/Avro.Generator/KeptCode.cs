namespace KafkaEventSourcing.Avro.Generator;

/// <summary>
/// C# that keeps a value as its schema has room for it, from the start: folded from the log again it is the same. A time has the precision
/// and the zone of its schema, a decimal its scale.
/// </summary>
internal static class KeptCode
{
    /// <summary>The value as it is kept.</summary>
    public static string Of(AvroType type, string value, int depth = 0) => type.Kind switch
    {
        _ when !IsChanged(type) => value,
        AvroKind.Scalar => type.Scalar!.Kept!(value),
        AvroKind.Nullable => $"{value} is {{ }} g{depth} ? {Of(type.Inner!, $"g{depth}", depth + 1)} : null",
        _ => $"global::KafkaEventSourcing.Avro.AvroItems.Keep({value}, static k{depth} => {Of(type.Inner!, $"k{depth}", depth + 1)})",
    };

    /// <summary>Whether there are values that are kept as others. What is in unions sees to itself.</summary>
    public static bool IsChanged(AvroType type) => type.Kind switch
    {
        AvroKind.Scalar => type.Scalar!.Kept is not null,
        AvroKind.Array or AvroKind.Map or AvroKind.Nullable => IsChanged(type.Inner!),
        _ => false,
    };
}
