namespace KafkaEventSourcing.Archive;

/// <summary>What files of an archive may be called: every place can have such a name, and none leaves the place.</summary>
internal static class ArchiveFileNames
{
    /// <summary>The longest name, in characters; with what a place puts before it, it stays below the 1,024 bytes of S3.</summary>
    public const int MaxLength = 700;

    private const int MaxPartLength = 200; // of a folder or file, with room for what is added while it is written

    /// <summary>Returns <paramref name="name"/>.</summary>
    /// <exception cref="ArgumentException">A file cannot be called that.</exception>
    public static string Check(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (name.Length > MaxLength)
            throw new ArgumentException($"A file of an archive has a name of at most {MaxLength} characters, and this has {name.Length}.",
                nameof(name));
        foreach (Range part in name.AsSpan().Split('/'))
        {
            ReadOnlySpan<char> text = name.AsSpan(part);
            if (text.Length is 0 or > MaxPartLength || text is "." or ".." || text.ContainsAnyExcept(Allowed))
                throw new ArgumentException($"'{name}' is not the name of a file of an archive.", nameof(name));
        }

        return name;
    }

    private static System.Buffers.SearchValues<char> Allowed { get; } =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-=");
}
