namespace KafkaEventSourcing.Processing.Tests;

/// <summary>A folder of one test, deleted at its end.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("kes-test-").FullName;

    /// <summary>The files as they are on disk at this moment: what a crash would leave of a folder that is in use.</summary>
    public string CrashImageOf(string directory)
    {
        string image = System.IO.Path.Combine(Path, "crash-image");
        Directory.CreateDirectory(image);
        foreach (string file in Directory.EnumerateFiles(directory).Where(f => System.IO.Path.GetFileName(f) != "LOCK"))
            File.Copy(file, System.IO.Path.Combine(image, System.IO.Path.GetFileName(file)));
        return image;
    }

    public string Child(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
