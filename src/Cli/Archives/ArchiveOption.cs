using System.CommandLine;
using KafkaEventSourcing.Archive;
using KafkaEventSourcing.Archive.Azure;
using KafkaEventSourcing.Archive.S3;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Archives;

/// <summary>The option that names an archive, and the argument that names an aggregate type.</summary>
internal static class ArchiveOption
{
    /// <summary>Opens archives.</summary>
    public static ArchiveStores Places { get; } = new([new S3ArchiveStoreProvider(), new AzureArchiveStoreProvider()]);

    /// <summary>Where the archive is.</summary>
    public static Option<string> Location() => new("--archive")
    {
        Description = "the place of the archive, a folder or s3://bucket/prefix (variable: KES_ARCHIVE)",
        HelpName = "LOCATION",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("KES_ARCHIVE") ?? "",
    };

    /// <summary>The aggregate type.</summary>
    public static Argument<string> Family() => new("family") { Description = "application and aggregate type, such as bank.account" };

    /// <summary>Opens it.</summary>
    /// <exception cref="InvalidInputException">No place is named, or it is not one.</exception>
    /// <exception cref="CommandFailedException">There is no archive.</exception>
    public static async Task<IArchiveStore> Open(string location, CancellationToken cancellationToken)
    {
        if (location.Length == 0)
            throw new InvalidInputException("--archive", "--archive is missing: name the place of the archive, or set KES_ARCHIVE.");
        try
        {
            return await Places.OpenAsync(location, create: false, cancellationToken).ConfigureAwait(false);
        }
        catch (FormatException wrong)
        {
            throw new InvalidInputException("--archive", $"--archive: {wrong.Message}", wrong);
        }
        catch (IOException none)
        {
            throw new CommandFailedException(none.Message, none);
        }
    }
}
