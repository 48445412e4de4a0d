namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>
/// Environment variables as options read them: the variable itself, or with <c>_FILE</c> behind its name the file that has the value, so
/// that secrets need not be in the environment.
/// </summary>
internal static class EnvironmentText
{
    private const string FileSuffix = "_FILE";

    /// <summary>The text of <paramref name="variable"/>; null: neither it nor its file is named.</summary>
    /// <param name="variable">Its name.</param>
    /// <param name="isFile">Whether the text is that of a file, without the line break at its end.</param>
    /// <exception cref="InvalidInputException">Both are named, or the file cannot be read; the message does not repeat what is in
    /// it.</exception>
    public static string? Read(string variable, out bool isFile)
    {
        string? text = Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;
        isFile = Environment.GetEnvironmentVariable(variable + FileSuffix) is { Length: > 0 };
        if (!isFile)
            return text;
        if (text is not null)
            throw new InvalidInputException(variable,
                $"The environment variables {variable} and {variable}{FileSuffix} are both set; set one of them.");
        string path = Environment.GetEnvironmentVariable(variable + FileSuffix)!;
        try
        {
            string content = File.ReadAllText(path);
            return content.EndsWith("\r\n", StringComparison.Ordinal) ? content[..^2] : content.EndsWith('\n') ? content[..^1] : content;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or ArgumentException
            or NotSupportedException)
        {
            throw new InvalidInputException(variable,
                $"The environment variable {variable}{FileSuffix} names '{path}', which cannot be read: {unreadable.Message}", unreadable);
        }
    }

    /// <summary>
    /// The settings of a text: one a line when it is of a file or has a line break, else with ; between, where <c>\;</c> is a ; that
    /// belongs to a value.
    /// </summary>
    public static string[] Settings(string text, bool isFile)
    {
        const StringSplitOptions tidy = StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries;
        if (isFile || text.Contains('\n', StringComparison.Ordinal))
            return text.Split('\n', tidy);
        var settings = new List<string>();
        var setting = new System.Text.StringBuilder();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 1 < text.Length && text[i + 1] == ';')
                setting.Append(text[++i]);
            else if (text[i] == ';')
                Add();
            else
                setting.Append(text[i]);
        }

        Add();
        return [.. settings];

        void Add()
        {
            if (setting.ToString().Trim() is { Length: > 0 } one)
                settings.Add(one);
            setting.Clear();
        }
    }
}
