namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>The folder of <c>--data</c>.</summary>
public static class DataFolder
{
    /// <summary>The full name of a folder that is named.</summary>
    /// <exception cref="InvalidInputException">It is empty, or cannot be a name of one.</exception>
    public static string Check(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return string.IsNullOrWhiteSpace(name) ? throw new InvalidInputException("--data",
            "--data is empty; it must be the name of a folder, which is created when it is missing.")
            : name.Contains('\0', StringComparison.Ordinal)
            ? throw new InvalidInputException("--data", "--data has a character that no file name has.")
            : Path.GetFullPath(name);
    }

    /// <summary>Makes the folder where it is missing.</summary>
    /// <exception cref="InvalidInputException">It cannot be made: something else has its name, or the user may not.</exception>
    public static void Create(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception unusable) when (unusable is IOException or UnauthorizedAccessException)
        {
            throw new InvalidInputException("--data",
                $"--data is '{folder}', which is not a folder and cannot be made one: {unusable.Message}", unusable);
        }
    }
}
