namespace KafkaEventSourcing.Avro;

public ref partial struct AvroReader
{
    /// <summary>Reads <paramref name="data"/> from its start, and opens what is sealed with <paramref name="protection"/>.</summary>
    internal AvroReader(ReadOnlySpan<byte> data, IFieldProtection? protection)
    {
        _data = data;
        _protection = protection;
    }

    /// <summary>A personal text that was just read, opened; used by generated code.</summary>
    /// <exception cref="AvroDecodeException">It is sealed, and not as it must be.</exception>
    public readonly string Opened(string? value) =>
        _protection is null || value is null ? value! : PersonalValues.Open(_protection, value, _at);

    /// <summary>Personal bytes that were just read, opened; used by generated code.</summary>
    /// <exception cref="AvroDecodeException">They are sealed, and not as they must be.</exception>
    public readonly byte[] Opened(byte[]? value) =>
        _protection is null || value is null ? value! : PersonalValues.Open(_protection, value, _at);
}
