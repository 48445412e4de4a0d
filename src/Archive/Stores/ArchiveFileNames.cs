namespace KafkaEventSourcing.Archive;

/// <summary>What files of an archive may be called: every place can have such a name, and none leaves the place.</summary>
internal static class ArchiveFileNames
{
    /// <summary>The longest name, in characters; with what a place puts before it, it stays below the 1,024 bytes of S3.</summary>
    public const int MaxLength = 700;

    /// <summary>The folder of what is being written, which no file of an archive is in.</summary>
    public const string PartialFolder = ".partial";

    private const int MaxPartLength = 200; // of a folder or file, with room for what is added while it is written

    /// <summary>Returns <paramref name="name"/>.</summary>
    /// <exception cref="ArgumentException">A file cannot be called that.</exception>
    public static string Check(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (name.Length > MaxLength)
            throw new ArgumentException($"A file of an archive has a name of at most {MaxLength} characters, and this has {name.Length}.",
                nameof(name));
        if (!IsName(name))
            throw new ArgumentException($"'{name}' is not the name of a file of an archive.", nameof(name));
        return name;
    }

    /// <summary>Returns <paramref name="prefix"/>, with which names of files may begin: in the middle of a part, too.</summary>
    /// <exception cref="ArgumentException">No file's name begins so.</exception>
    public static string CheckPrefix(string prefix)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        if (prefix.Length > MaxLength || (prefix.Length > 0 && !IsName(prefix + "x")))
            throw new ArgumentException($"The name of no file of an archive begins with '{prefix}'.", nameof(prefix));
        return prefix;
    }

    /// <summary>Whether a part of a name, a folder or a file, can be called that.</summary>
    public static bool IsPart(ReadOnlySpan<char> part) =>
        part.Length is > 0 and <= MaxPartLength && part is not ("." or "..") && !part.ContainsAnyExcept(Allowed);

    /// <summary>Whether a file can be called that, but for its length.</summary>
    public static bool IsName(string name)
    {
        if (name.StartsWith(PartialFolder + "/", StringComparison.OrdinalIgnoreCase))
            return false;
        foreach (Range part in name.AsSpan().Split('/'))
        {
            if (!IsPart(name.AsSpan(part)))
                return false;
        }

        return true;
    }

    private static System.Buffers.SearchValues<char> Allowed { get; } =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-=");
}
