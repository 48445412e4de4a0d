using System.CommandLine;
using KafkaEventSourcing.Archive;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Archives;

/// <summary><c>kes archive create LOCATION</c>.</summary>
internal static class CreateCommand
{
    public static Command Create()
    {
        var location = new Argument<string>("location") { Description = "the place, a folder or s3://bucket/prefix" };
        var command = new Command("create", "make an archive, which nodes that are told its place fill; one that is there stays as it is");
        command.Arguments.Add(location);
        command.SetAction(async (result, cancellationToken) =>
        {
            try
            {
                IArchiveStore store = await ArchiveOption.Places.OpenAsync(result.GetValue(location)!, create: true, cancellationToken)
                    .ConfigureAwait(false);
                await using (store.ConfigureAwait(false))
                {
                    Console.WriteLine($"The archive is in {store.Location}.");
                    return ExitCodes.Done;
                }
            }
            catch (FormatException wrong)
            {
                throw new InvalidInputException("location", $"location: {wrong.Message}", wrong);
            }
            catch (IOException refused)
            {
                throw new CommandFailedException(refused.Message, refused);
            }
        });
        return command;
    }
}
