using System.Globalization;

namespace KafkaEventSourcing.Archive.Tests;

/// <summary>A process that makes files in the archive of a folder: of each line <c>name bytes</c> one, and says what came of it.</summary>
internal static class ArchiveWriter
{
    public const string Verb = "archive-writer";
    public const string Ready = "READY";

    public static async Task<int> Run(string folder)
    {
        await using var store = new FolderArchiveStore(folder);
        await Console.Out.WriteLineAsync(Ready);
        while (await Console.In.ReadLineAsync() is { } line)
        {
            string[] asked = line.Split(' ');
            try
            {
                using var content = new MemoryStream(Content(asked[0], int.Parse(asked[1], CultureInfo.InvariantCulture)));
                bool isMade = await store.TryCreateAsync(asked[0], content);
                await Console.Out.WriteLineAsync($"{(isMade ? "made" : "there")} {asked[0]}");
            }
            catch (IOException refused)
            {
                await Console.Out.WriteLineAsync($"refused {asked[0]} {refused.Message.ReplaceLineEndings(" ")}");
            }
        }

        return 0;
    }

    /// <summary>What a file of that name and length has.</summary>
    public static byte[] Content(string name, int bytes)
    {
        byte[] content = new byte[bytes];
        new Random(name.Aggregate(17, (hash, c) => (hash * 31) + c)).NextBytes(content);
        return content;
    }
}
