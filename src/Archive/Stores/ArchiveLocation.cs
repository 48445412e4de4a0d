namespace KafkaEventSourcing.Archive;

/// <summary>
/// Where an archive is: a folder, as a path or a <c>file:</c> URL, or a URL of a store such as
/// <c>s3://bucket/prefix?region=eu-central-1</c>.
/// </summary>
public sealed class ArchiveLocation
{
    private readonly Dictionary<string, string> _parameters;

    private ArchiveLocation(string scheme, string text, string authority, string path, Dictionary<string, string> parameters)
    {
        (Scheme, Text, Authority, Path) = (scheme, text, authority, path);
        _parameters = parameters;
    }

    /// <summary>What kind of place it is: <c>file</c>, <c>s3</c>, in lower case.</summary>
    public string Scheme { get; }

    /// <summary>All of it as it was given; it may have secrets.</summary>
    public string Text { get; }

    /// <summary>What is between <c>//</c> and the path: a bucket, a container, a host. Empty in a folder.</summary>
    public string Authority { get; }

    /// <summary>The path of a folder; what is behind the bucket or container, without <c>/</c> before and behind it.</summary>
    public string Path { get; }

    /// <summary>What is behind <c>?</c>, by name, without regard to case.</summary>
    public IReadOnlyDictionary<string, string> Parameters => _parameters;

    /// <summary>Reads one.</summary>
    /// <exception cref="FormatException">It is not one; the message says why.</exception>
    public static ArchiveLocation Parse(string text)
    {
        if (string.IsNullOrWhiteSpace(text))
            throw new FormatException("The place of an archive is missing: a folder, or a URL such as s3://bucket/prefix.");
        int colon = text.IndexOf("://", StringComparison.Ordinal);
        if (colon < 0)
            return Folder(text, text);
        string scheme = text[..colon].ToLowerInvariant();
        if (scheme == Uri.UriSchemeFile)
            return Folder(text, LocalPath(text));
        if (!Uri.CheckSchemeName(scheme))
            throw new FormatException($"'{scheme}' is not the kind of a place; an archive is in a folder or, say, at s3://bucket/prefix.");

        string rest = text[(colon + 3)..];
        int question = rest.IndexOf('?', StringComparison.Ordinal);
        string before = question < 0 ? rest : rest[..question];
        if (before.Contains('#', StringComparison.Ordinal) || before.Contains('@', StringComparison.Ordinal))
            throw new FormatException(
                $"The place of an archive at {scheme}:// has neither '@' nor '#' in it; credentials come from elsewhere.");
        int slash = before.IndexOf('/', StringComparison.Ordinal);
        string authority = slash < 0 ? before : before[..slash];
        if (authority.Length == 0)
            throw new FormatException($"'{scheme}://{before}' does not say where: after '{scheme}://' comes a name, and then the path.");
        string path = Uri.UnescapeDataString(slash < 0 ? "" : before[slash..]).Trim('/');
        if (path.Length > 0 && !path.Split('/').All(p => ArchiveFileNames.IsPart(p)))
            throw new FormatException(
                $"'{path}' cannot be where an archive is: between '/' it has letters, digits and . _ - = alone, and neither '.' nor '..'.");
        return new ArchiveLocation(scheme, text, authority, path, question < 0 ? [] : Read(scheme, rest[(question + 1)..]));
    }

    /// <summary>A parameter that is <c>true</c> or <c>false</c>; null: it is not there.</summary>
    /// <exception cref="FormatException">It is something else.</exception>
    public bool? Flag(string name) => !_parameters.TryGetValue(name, out string? value) ? null
        : bool.TryParse(value, out bool flag) ? flag
        : throw new FormatException($"'{name}={value}' of {this} is neither true nor false.");

    /// <summary>Refuses parameters that nobody reads, as they are mistakes of those who wrote them.</summary>
    /// <exception cref="FormatException">There is one that is not of <paramref name="known"/>.</exception>
    public void AllowParameters(params IReadOnlyCollection<string> known)
    {
        ArgumentNullException.ThrowIfNull(known);
        if (_parameters.Keys.FirstOrDefault(k => !known.Contains(k, StringComparer.OrdinalIgnoreCase)) is { } unknown)
            throw new FormatException($"{this} does not have a parameter '{unknown}'; it may have {string.Join(", ", known)}.");
    }

    /// <summary>For people: without parameters, which may be secrets.</summary>
    public override string ToString() => Scheme == Uri.UriSchemeFile ? Path
        : Path.Length == 0 ? $"{Scheme}://{Authority}"
        : $"{Scheme}://{Authority}/{Path}";

    private static ArchiveLocation Folder(string text, string path)
    {
        try
        {
            return new ArchiveLocation(Uri.UriSchemeFile, text, "", System.IO.Path.GetFullPath(path), []);
        }
        catch (ArgumentException notAPath)
        {
            throw new FormatException($"'{text}' is not the path of a folder: {notAPath.Message}", notAPath);
        }
    }

    private static string LocalPath(string text)
    {
        const string here = "file://localhost/"; // as RFC 8089 has it; .NET takes it for a share of a network
        string local = text.StartsWith(here, StringComparison.OrdinalIgnoreCase) ? $"file:///{text[here.Length..]}" : text;
        return Uri.TryCreate(local, UriKind.Absolute, out Uri? url) && url is { Query: "", Fragment: "", Host: "" }
            ? url.LocalPath
            : throw new FormatException($"'{text}' is not the URL of a folder: it is file:///path, with neither host nor parameters.");
    }

    private static Dictionary<string, string> Read(string scheme, string query)
    {
        var parameters = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (string pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
                throw new FormatException(
                    $"A parameter of the place at {scheme}:// is name=value, and this is not: '{pair.Split('=')[0]}'.");
            string name = Uri.UnescapeDataString(pair[..equals]);
            if (!parameters.TryAdd(name, Uri.UnescapeDataString(pair[(equals + 1)..])))
                throw new FormatException($"The parameter '{name}' of the place at {scheme}:// is there twice.");
        }

        return parameters;
    }
}
