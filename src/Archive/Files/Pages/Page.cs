using System.Buffers.Binary;
using System.IO.Hashing;
using System.Numerics;
using ZstdSharp;

namespace KafkaEventSourcing.Archive;

/// <summary>A page of a column, decoded: levels, and where in its bytes each value is.</summary>
/// <remarks>Source: Apache Parquet, "parquet.thrift" (PageHeader) and "Encodings".</remarks>
internal sealed class Page
{
    private const int Plain = 0, PlainDictionary = 2, RleDictionary = 8;
    private const int DataPage = 0, DictionaryPage = 2;

    private readonly byte[] _bytes;
    private readonly Range[] _values;
    private readonly Page? _dictionary;
    private readonly int[]? _places; // in the dictionary

    private Page(byte[] bytes, int[] definitions, int[] repetitions, Range[] values, Page? dictionary = null, int[]? places = null)
    {
        (_bytes, Definitions, Repetitions, _values, _dictionary, _places) = (bytes, definitions, repetitions, values, dictionary, places);
    }

    /// <summary>The levels of definition; empty: each value is there.</summary>
    public int[] Definitions { get; }

    /// <summary>The levels of repetition; empty: each is a row.</summary>
    public int[] Repetitions { get; }

    /// <summary>How many values there are.</summary>
    public int Values => _places?.Length ?? _values.Length;

    /// <summary>A value; numbers are little-endian.</summary>
    public ReadOnlySpan<byte> this[int index] => _places is null ? _bytes.AsSpan(_values[index]) : _dictionary![_places[index]];

    /// <summary>Decodes a page.</summary>
    /// <param name="data">Its header and its bytes, and maybe more.</param>
    /// <param name="shape">What its column is.</param>
    /// <param name="dictionary">The column's dictionary; null: it has none, or this is it.</param>
    /// <param name="zstd">What decompresses it.</param>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public static Page Decode(ReadOnlySpan<byte> data, PageShape shape, Page? dictionary, Decompressor zstd)
    {
        var header = PageHeader.Read(data, out int length);
        ReadOnlySpan<byte> compressed = data.Slice(length, header.Compressed);
        if (header.Crc is not { } crc || Crc32.HashToUInt32(compressed) != (uint)crc)
            throw new InvalidDataException("The checksum of a page is not that of its bytes.");
        byte[] bytes = new byte[header.Uncompressed];
        if (zstd.Unwrap(compressed, bytes) != bytes.Length)
            throw new InvalidDataException("A page has fewer bytes than its header says.");
        if (header.Type == DictionaryPage)
            return new Page(bytes, [], [], Split(bytes, 0, header.Values, shape.Width));
        if (header.Type != DataPage)
            throw new InvalidDataException($"A page has the type {header.Type}, which is not read.");
        int at = 0;
        int[] repetitions = ReadLevels(bytes, ref at, shape.MaxRepetition, header.Values);
        int[] definitions = ReadLevels(bytes, ref at, shape.MaxDefinition, header.Values);
        int values = shape.MaxDefinition == 0 ? header.Values : definitions.Count(d => d == shape.MaxDefinition);
        switch (header.Encoding)
        {
            case Plain:
                return new Page(bytes, definitions, repetitions, Split(bytes, at, values, shape.Width));
            case PlainDictionary or RleDictionary when dictionary is not null:
                int width = bytes[at++];
                int[] places = new int[values];
                DecodeHybrid(bytes.AsSpan(at), width, places);
                return new Page(bytes, definitions, repetitions, [], dictionary, places);
            default:
                throw new InvalidDataException($"A page has the encoding {header.Encoding}, which is not read.");
        }
    }

    // Numbers of the same width, or bytes after their length.
    private static Range[] Split(byte[] bytes, int at, int count, int width)
    {
        var values = new Range[count];
        for (int i = 0; i < count; i++)
        {
            int length = width;
            if (width == 0)
            {
                length = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at));
                at += sizeof(int);
            }

            if (length < 0 || length > bytes.Length - at)
                throw new InvalidDataException("A value is longer than its page.");
            values[i] = at..(at + length);
            at += length;
        }

        return values;
    }

    private static int[] ReadLevels(byte[] bytes, ref int at, int most, int count)
    {
        if (most == 0)
            return [];
        int length = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at));
        int[] levels = new int[count];
        DecodeHybrid(bytes.AsSpan(at + sizeof(int), length), BitOperations.Log2((uint)most) + 1, levels);
        at += sizeof(int) + length;
        return levels;
    }

    // Runs of one number, and groups of eight numbers of so many bits each.
    private static void DecodeHybrid(ReadOnlySpan<byte> bytes, int width, Span<int> numbers)
    {
        int at = 0;
        for (int done = 0; done < numbers.Length;)
        {
            int head = 0;
            for (int shift = 0; ; shift += 7)
            {
                byte next = bytes[at++];
                head |= (next & 0x7f) << shift;
                if (next < 0x80)
                    break;
            }

            int count = head >> 1;
            if ((head & 1) == 0)
            {
                int number = 0;
                for (int i = 0; i < (width + 7) / 8; i++)
                    number |= bytes[at++] << (8 * i);
                count = Math.Min(count, numbers.Length - done);
                numbers.Slice(done, count).Fill(number);
                done += count;
                if (count == 0)
                    throw new InvalidDataException("A run has no numbers.");
                continue;
            }

            ReadOnlySpan<byte> packed = bytes.Slice(at, count * width);
            at += packed.Length;
            for (int i = 0; i < count * 8 && done < numbers.Length; i++, done++)
            {
                int number = 0;
                for (int bit = 0; bit < width; bit++)
                {
                    int place = i * width + bit;
                    number |= ((packed[place >> 3] >> (place & 7)) & 1) << bit;
                }

                numbers[done] = number;
            }

            if (count == 0)
                throw new InvalidDataException("A run has no numbers.");
        }
    }

    private readonly record struct PageHeader(int Type, int Uncompressed, int Compressed, int? Crc, int Values, int Encoding)
    {
        public static PageHeader Read(ReadOnlySpan<byte> data, out int length)
        {
            var reader = new ThriftReader(data);
            var header = new PageHeader(-1, 0, 0, null, 0, -1);
            int id = 0;
            while (reader.NextField(ref id, out int type))
            {
                switch (id)
                {
                    case 1:
                        header = header with { Type = (int)reader.ReadInteger() };
                        break;
                    case 2:
                        header = header with { Uncompressed = (int)reader.ReadInteger() };
                        break;
                    case 3:
                        header = header with { Compressed = (int)reader.ReadInteger() };
                        break;
                    case 4:
                        header = header with { Crc = (int)reader.ReadInteger() };
                        break;
                    case 5 or 7: // of a page of data, of a dictionary: both begin with the number of values and their encoding
                        int inner = 0;
                        while (reader.NextField(ref inner, out int field))
                        {
                            if (inner == 1)
                                header = header with { Values = (int)reader.ReadInteger() };
                            else if (inner == 2)
                                header = header with { Encoding = (int)reader.ReadInteger() };
                            else
                                reader.Skip(field);
                        }

                        break;
                    default:
                        reader.Skip(type);
                        break;
                }
            }

            length = reader.Position;
            return header.Uncompressed >= 0 && header.Compressed >= 0 && header.Values >= 0
                ? header
                : throw new InvalidDataException("The header of a page has a length below 0.");
        }
    }
}

/// <summary>What a column is: how many bytes its values have, 0 where they say themselves, and its highest levels.</summary>
internal readonly record struct PageShape(int Width, int MaxDefinition, int MaxRepetition);
