using System.Globalization;

namespace KafkaEventSourcing.Archive;

/// <summary>What is archived, how, and how long events stay in their topics behind it.</summary>
public sealed record ArchiveOptions
{
    /// <summary>
    /// The place of the archive: a folder, or an address such as <c>s3://bucket/prefix</c> where the package for it is added. Null, the
    /// default: nothing is archived.
    /// </summary>
    public string? Location { get; init; }

    /// <summary>The most events of a range, which is one file. Default 100,000.</summary>
    public int RangeEvents { get; init; } = 100_000;

    /// <summary>The most bytes of a range: keys, values, headers and what memory each record takes. A node holds one range in memory, about
    /// twice. Default 32 MiB.</summary>
    public int RangeBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>How old the oldest event of a range is at most until it is archived, however few there are. Default 1 day.</summary>
    public TimeSpan RangeAge { get; init; } = TimeSpan.FromDays(1);

    /// <summary>How the tables of event types are divided. Default: by days.</summary>
    public ArchiveDates Dates { get; init; } = ArchiveDates.Day;

    /// <summary>How often a node looks whether a range of its partitions is due. Default 30 seconds.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How old events are at least, by the time that Kafka keeps of them, when they leave the topic. Null: their age takes none
    /// out.</summary>
    public TimeSpan? HotFor { get; init; }

    /// <summary>About how many bytes of archived events stay in the topic, for each partition; the oldest leave first. Null: their bytes
    /// take none out.</summary>
    public long? HotBytes { get; init; }

    /// <summary>Whether events leave the topic at all.</summary>
    public bool HasRetention => HotFor is not null || HotBytes is not null;

    /// <summary>Checks the options.</summary>
    /// <exception cref="InvalidInputException">One is out of range.</exception>
    public void Validate()
    {
        if (Location is { } location && string.IsNullOrWhiteSpace(location))
            throw new InvalidInputException(nameof(Location), $"{nameof(Location)} is empty; it must be a folder or an address.");
        Check(RangeEvents, RangeEvents is >= 1 and <= 10_000_000, nameof(RangeEvents), "from 1 to 10,000,000");
        Check(RangeBytes, RangeBytes is >= 64 * 1024 and <= 1024 * 1024 * 1024, nameof(RangeBytes), "from 64 KiB to 1 GiB");
        Check(RangeAge, RangeAge > TimeSpan.Zero, nameof(RangeAge), "positive");
        Check(Interval, Interval >= TimeSpan.FromMilliseconds(10) && Interval <= TimeSpan.FromDays(1), nameof(Interval),
            "from 10 ms to a day");
        Check(Dates, Enum.IsDefined(Dates), nameof(Dates), "Day, Month or Year");
        Check(HotFor, HotFor is null || HotFor >= TimeSpan.Zero, nameof(HotFor), "0 or more");
        Check(HotBytes, HotBytes is null or >= 0, nameof(HotBytes), "0 or more");
        if (Location is null && HasRetention)
            throw new InvalidInputException(HotFor is not null ? nameof(HotFor) : nameof(HotBytes),
                $"{(HotFor is not null ? nameof(HotFor) : nameof(HotBytes))} is set, and {nameof(Location)} is not: events leave a topic "
                    + "only when they are in an archive.");
    }

    private static void Check<T>(T value, bool isValid, string option, string range)
    {
        if (!isValid)
            throw new InvalidInputException(option, string.Create(CultureInfo.InvariantCulture,
                $"{option} is {value}; it must be {range}."));
    }
}
