using System.Buffers.Binary;

namespace KafkaEventSourcing.Archive;

/// <summary>Where the pages of a file are, as its footer and its page index have it.</summary>
/// <remarks>Source: Apache Parquet, "parquet.thrift" (FileMetaData, OffsetIndex, ColumnIndex).</remarks>
internal sealed class PageDirectory
{
    private const int TailBytes = 8; // the length of the footer, and PAR1

    private readonly Stream _file;

    private PageDirectory(Stream file, IReadOnlyList<PagedGroup> groups) => (_file, Groups) = (file, groups);

    /// <summary>The row groups.</summary>
    public IReadOnlyList<PagedGroup> Groups { get; }

    /// <summary>Reads the footer of a file.</summary>
    /// <exception cref="InvalidDataException">It is not a Parquet file.</exception>
    public static PageDirectory Read(Stream file)
    {
        byte[] tail = ReadAt(file, file.Length - TailBytes, TailBytes);
        int length = BinaryPrimitives.ReadInt32LittleEndian(tail);
        if (!tail.AsSpan(4).SequenceEqual("PAR1"u8) || length < 0 || length > file.Length - TailBytes)
            throw new InvalidDataException("The file is not a Parquet file, or is damaged: its end is missing.");
        var footer = new ThriftReader(ReadAt(file, file.Length - TailBytes - length, length));
        List<PagedGroup> groups = [];
        int id = 0;
        while (footer.NextField(ref id, out int type))
        {
            if (id != 4)
            {
                footer.Skip(type);
                continue;
            }

            for (int count = footer.ReadList(out _); count > 0; count--)
                groups.Add(ReadGroup(ref footer));
        }

        return new PageDirectory(file, groups);
    }

    /// <summary>The pages of a column of a row group, by the row that each begins with.</summary>
    public PageLocation[] PagesOf(PagedColumn column)
    {
        var index = new ThriftReader(ReadAt(_file, column.OffsetIndex, column.OffsetIndexLength));
        PageLocation[] pages = [];
        int id = 0;
        while (index.NextField(ref id, out int type))
        {
            if (id != 1)
            {
                index.Skip(type);
                continue;
            }

            pages = new PageLocation[index.ReadList(out _)];
            for (int i = 0; i < pages.Length; i++)
                pages[i] = ReadLocation(ref index);
        }

        return pages;
    }

    /// <summary>Which of <paramref name="pages"/> may have a value, by the least and the greatest that each has.</summary>
    public IEnumerable<int> Candidates(PagedColumn column, PageLocation[] pages, byte[] value)
    {
        if (column.ColumnIndexLength == 0)
            return Enumerable.Range(0, pages.Length); // values too long to be noted
        bool[] isNull = [];
        byte[][] least = [];
        byte[][] greatest = [];
        var index = new ThriftReader(ReadAt(_file, column.ColumnIndex, column.ColumnIndexLength));
        int id = 0;
        while (index.NextField(ref id, out int type))
        {
            switch (id)
            {
                case 1:
                    isNull = new bool[index.ReadList(out _)];
                    for (int i = 0; i < isNull.Length; i++)
                        isNull[i] = index.ReadBoolean();
                    break;
                case 2 or 3:
                    byte[][] bounds = new byte[index.ReadList(out _)][];
                    for (int i = 0; i < bounds.Length; i++)
                        bounds[i] = index.ReadBinary().ToArray();
                    (least, greatest) = id == 2 ? (bounds, greatest) : (least, bounds);
                    break;
                default:
                    index.Skip(type);
                    break;
            }
        }

        if (isNull.Length != pages.Length || least.Length != pages.Length || greatest.Length != pages.Length)
            throw new InvalidDataException("The page index does not have the pages that there are.");
        return Enumerable.Range(0, pages.Length).Where(i => !isNull[i]
            && least[i].AsSpan().SequenceCompareTo(value) <= 0
            && greatest[i].AsSpan().SequenceCompareTo(value) >= 0);
    }

    /// <summary>The bytes at a place.</summary>
    public byte[] ReadAt(long offset, int length) => ReadAt(_file, offset, length);

    private static PagedGroup ReadGroup(ref ThriftReader footer)
    {
        List<PagedColumn> columns = [];
        long rows = 0;
        int id = 0;
        while (footer.NextField(ref id, out int type))
        {
            switch (id)
            {
                case 1:
                    for (int count = footer.ReadList(out _); count > 0; count--)
                        columns.Add(ReadColumn(ref footer));
                    break;
                case 3:
                    rows = footer.ReadInteger();
                    break;
                default:
                    footer.Skip(type);
                    break;
            }
        }

        return new PagedGroup(rows, columns);
    }

    private static PagedColumn ReadColumn(ref ThriftReader footer)
    {
        long[] places = new long[8]; // by the number of the field
        long dictionary = 0;
        int id = 0;
        while (footer.NextField(ref id, out int type))
        {
            switch (id)
            {
                case 3:
                    dictionary = ReadDictionaryOffset(ref footer);
                    break;
                case >= 4 and <= 7:
                    places[id] = footer.ReadInteger();
                    break;
                default:
                    footer.Skip(type);
                    break;
            }
        }

        return new PagedColumn(dictionary, places[4], checked((int)places[5]), places[6], checked((int)places[7]));
    }

    private static long ReadDictionaryOffset(ref ThriftReader footer)
    {
        long offset = 0;
        int id = 0;
        while (footer.NextField(ref id, out int type))
        {
            if (id == 11)
                offset = footer.ReadInteger();
            else
                footer.Skip(type);
        }

        return offset;
    }

    private static PageLocation ReadLocation(ref ThriftReader index)
    {
        long[] numbers = new long[4];
        int id = 0;
        while (index.NextField(ref id, out int type))
        {
            if (id is >= 1 and <= 3)
                numbers[id] = index.ReadInteger();
            else
                index.Skip(type);
        }

        return new PageLocation(numbers[1], checked((int)numbers[2]), checked((int)numbers[3]));
    }

    private static byte[] ReadAt(Stream file, long offset, int length)
    {
        if (offset < 0 || length < 0 || length > file.Length - offset)
            throw new InvalidDataException($"The file has {file.Length} bytes, and {length} at {offset} are to be read.");
        byte[] bytes = new byte[length];
        file.Position = offset;
        file.ReadExactly(bytes);
        return bytes;
    }
}

/// <summary>A row group.</summary>
internal sealed record PagedGroup(long Rows, IReadOnlyList<PagedColumn> Columns);

/// <summary>Where a column of a row group is; 0: it does not have that.</summary>
internal sealed record PagedColumn(long Dictionary, long OffsetIndex, int OffsetIndexLength, long ColumnIndex, int ColumnIndexLength);

/// <summary>Where a page is, with its header, and its first row in the row group.</summary>
internal readonly record struct PageLocation(long Offset, int Bytes, int FirstRow);
