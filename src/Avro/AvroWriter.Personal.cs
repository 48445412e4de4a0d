using System.Buffers;
using System.Text;

namespace KafkaEventSourcing.Avro;

public ref partial struct AvroWriter
{
    /// <summary>
    /// Writes to <paramref name="output"/>, and seals what is personal with <paramref name="protection"/> for
    /// <paramref name="subject"/>; of somebody who was erased there is the marker then where <paramref name="marksErased"/>, else an error.
    /// </summary>
    internal AvroWriter(IBufferWriter<byte> output, IFieldProtection? protection, string? subject, bool marksErased)
        : this(output) => (_protection, _subject, _marksErased) = (protection, subject, marksErased);

    /// <summary>A personal text of <paramref name="field"/> as it is to be written; used by generated code.</summary>
    /// <exception cref="SubjectErasedException">It speaks of somebody who was erased.</exception>
    public readonly string? Sealed(string? value, string field) =>
        _protection is null || value is null ? value : Seal(value, _subject, field);

    /// <summary>The same of another subject than that of the message.</summary>
    /// <exception cref="AvroEncodeException">There is no subject.</exception>
    /// <exception cref="SubjectErasedException">It speaks of somebody who was erased.</exception>
    public readonly string? SealedFor(string? subject, string? value, string field) =>
        _protection is null || value is null ? value : Seal(value, subject, field);

    /// <summary>Personal bytes of <paramref name="field"/> as they are to be written; used by generated code.</summary>
    /// <exception cref="SubjectErasedException">They speak of somebody who was erased.</exception>
    public readonly byte[]? Sealed(byte[]? value, string field) =>
        _protection is null || value is null ? value : Seal(value, _subject, field);

    /// <summary>The same of another subject than that of the message.</summary>
    /// <exception cref="AvroEncodeException">There is no subject.</exception>
    /// <exception cref="SubjectErasedException">They speak of somebody who was erased.</exception>
    public readonly byte[]? SealedFor(string? subject, byte[]? value, string field) =>
        _protection is null || value is null ? value : Seal(value, subject, field);

    internal static AvroEncodeException Lone(string field, EncoderFallbackException lone) => new(field,
        $"The text has a lone surrogate (U+{(int)lone.CharUnknown:X4}) at {lone.Index}, which has no UTF-8.");

    private readonly string Seal(string value, string? subject, string field) =>
        PersonalValues.Seal(_protection!, Known(subject, field), field, value)
            ?? (_marksErased ? PersonalValues.Erased : throw new SubjectErasedException(subject!, field));

    private readonly byte[] Seal(byte[] value, string? subject, string field) =>
        PersonalValues.Seal(_protection!, Known(subject, field), field, value)
            ?? (_marksErased ? Encoding.ASCII.GetBytes(PersonalValues.Erased) : throw new SubjectErasedException(subject!, field));

    private static string Known(string? subject, string field) => string.IsNullOrEmpty(subject)
        ? throw new AvroEncodeException(field, "The field is tagged as personal, and it is not said of whom it speaks.")
        : subject;
}
