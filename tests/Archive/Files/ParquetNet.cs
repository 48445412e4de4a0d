using System.Numerics;
using System.Text;
using Parquet;
using Parquet.Data;
using Parquet.File.Values.Primitives;
using Parquet.Schema;

namespace KafkaEventSourcing.Archive.Tests.Files;

/// <summary>Reads the columns of a file with Parquet.Net.</summary>
internal static class ParquetNet
{
    /// <summary>Every level and every value is what <paramref name="leaves"/> have.</summary>
    public static async Task Compare(Stream file, ParquetLeaf[] leaves, string what)
    {
        file.Position = 0;
        await using ParquetReader reader = await ParquetReader.CreateAsync(file, new ParquetOptions { UseBigDecimal = true });
        DataField[] fields = reader.Schema.DataFields;
        fields.Length.ShouldBe(leaves.Length, what);
        for (int column = 0; column < fields.Length; column++)
        {
            int at = 0;
            for (int group = 0; group < reader.RowGroupCount; group++)
            {
                using ParquetRowGroupReader rows = reader.OpenRowGroupReader(group);
                using RawColumnData raw = await rows.ReadRawColumnDataBaseAsync(fields[column]);
                object[] values = Values(raw);
                int count = values.Length;
                int[]? definitions = fields[column].MaxDefinitionLevel > 0 ? raw.DefinitionLevels.ToArray() : null;
                int[]? repetitions = fields[column].MaxRepetitionLevel > 0 ? raw.RepetitionLevels.ToArray() : null;
                int value = 0;
                for (int i = 0; i < (definitions?.Length ?? count); i++, at++)
                {
                    (short definition, short repetition, object? physical) = leaves[column].Entries[at];
                    string place = $"Parquet.Net, {what}, {leaves[column].Path}, {fields[column].GetType().Name}, entry {at}";
                    (definitions?[i] ?? 0).ShouldBe(definition, place);
                    (repetitions?[i] ?? 0).ShouldBe(repetition, place);
                    if (physical is not null)
                        Show(values[value++], physical, fields[column]).ShouldBe(Show(Ticks(physical, fields[column])), place);
                }
            }

            at.ShouldBe(leaves[column].Entries.Count);
        }
    }

    private static object[] Values(RawColumnData raw) => raw switch
    {
        RawColumnData<bool> typed => [.. typed.Values.ToArray().Cast<object>()],
        RawColumnData<int> typed => [.. typed.Values.ToArray().Cast<object>()],
        RawColumnData<long> typed => [.. typed.Values.ToArray().Cast<object>()],
        RawColumnData<float> typed => [.. typed.Values.ToArray().Cast<object>()],
        RawColumnData<double> typed => [.. typed.Values.ToArray().Cast<object>()],
        RawColumnData<DateTime> typed => [.. typed.Values.ToArray().Cast<object>()],
        RawColumnData<Guid> typed => [.. typed.Values.ToArray().Cast<object>()],
        RawColumnData<BigDecimal> typed => [.. typed.Values.ToArray().Cast<object>()],
        RawColumnData<decimal> typed => [.. typed.Values.ToArray().Cast<object>()],
        RawColumnData<ReadOnlyMemory<byte>> typed => [.. typed.Values.ToArray().Select(v => (object)v.ToArray())],
        RawColumnData<ReadOnlyMemory<char>> typed => [.. typed.Values.ToArray().Select(v => (object)Encoding.UTF8.GetBytes(v.ToArray()))],
        _ => throw new NotSupportedException(raw.GetType().ToString()),
    };

    // A DateTime counts in 100 nanoseconds.
    private static object Ticks(object physical, DataField field) =>
        physical is long nanos && field is DateTimeDataField { Unit: DateTimeTimeUnit.Nanos }
            ? nanos / TimeSpan.NanosecondsPerTick * TimeSpan.NanosecondsPerTick
            : physical;

    private static string Show(object physical) => physical switch
    {
        byte[] bytes => Convert.ToHexString(bytes),
        float number => AnyShapes.Float(number),
        double number => AnyShapes.Float(number),
        _ => FormattableString.Invariant($"{physical}"),
    };

    private static string Show(object value, object physical, DataField field) => (value, physical) switch
    {
        (DateTime time, int) => Show((int)((time.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerDay)),
        (DateTime time, long) => Show(((DateTimeDataField)field).Unit switch
        {
            DateTimeTimeUnit.Millis => (time.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMillisecond,
            DateTimeTimeUnit.Micros => (time.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond,
            _ => (time.Ticks - DateTime.UnixEpoch.Ticks) * TimeSpan.NanosecondsPerTick,
        }),
        (Guid uuid, byte[]) => Show(uuid.ToByteArray(bigEndian: true)),
        (BigDecimal number, byte[] bytes) => Show(Bytes(number.UnscaledValue, bytes.Length)),
        _ => Show(value),
    };

    private static byte[] Bytes(BigInteger number, int length)
    {
        byte[] bytes = number.ToByteArray(isBigEndian: true);
        return [.. Enumerable.Repeat(number.Sign < 0 ? (byte)255 : (byte)0, length - bytes.Length), .. bytes];
    }
}
