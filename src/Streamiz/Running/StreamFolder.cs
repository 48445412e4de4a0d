using System.Globalization;

namespace KafkaEventSourcing.Streamiz;

/// <summary>The folder of one definition: nobody else uses it as long as this is not disposed.</summary>
internal sealed class StreamFolder : IDisposable
{
    private const string LockName = "lock";
    private const string InstanceName = "instance";
    private const string StatePrefix = "state-";

    private readonly FileStream _lock;

    private readonly string _path;
    private int _number;

    private StreamFolder(string path, string instance, FileStream taken) => (_path, Instance, _lock) = (path, instance, taken);

    /// <summary>The folder of the stores.</summary>
    public string StatePath => Path.Combine(_path, string.Create(CultureInfo.InvariantCulture, $"{StatePrefix}{_number}"));

    /// <summary>A name that is the same for as long as the folder is there, and no other folder has.</summary>
    public string Instance { get; }

    /// <summary>Takes the folder of <paramref name="definition"/> below <paramref name="dataDirectory"/>.</summary>
    /// <exception cref="IOException">Another process has it, or it cannot be made.</exception>
    public static StreamFolder Take(string dataDirectory, string definition)
    {
        string path = Path.GetFullPath(Path.Combine(dataDirectory, "streams", definition));
        Directory.CreateDirectory(path);
        FileStream taken;
        try
        {
            taken = new FileStream(Path.Combine(path, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException held)
        {
            throw new IOException($"The folder {path} of the streams '{definition}' is used by another process: give each process a data "
                + $"directory of its own. ({held.Message})", held);
        }

        try
        {
            var folder = new StreamFolder(path, InstanceOf(path, definition), taken);
            folder.FindState();
            return folder;
        }
        catch
        {
            taken.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Stores are made anew, from their topics, in another folder: those of this one cannot be opened, as they are damaged, or still open
    /// in this process.
    /// </summary>
    public void Renew() => Directory.CreateDirectory(Path.Combine(_path,
        string.Create(CultureInfo.InvariantCulture, $"{StatePrefix}{++_number}")));

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();

    // The newest counts; those before it were given up.
    private void FindState()
    {
        int[] numbers =
        [
            .. Directory.GetDirectories(_path, StatePrefix + "*").Select(d => Path.GetFileName(d)[StatePrefix.Length..])
                .Select(n => int.TryParse(n, CultureInfo.InvariantCulture, out int number) ? number : -1).Where(n => n >= 0).Order(),
        ];
        if (numbers.Length == 0)
            return;
        _number = numbers[^1];
        foreach (int given in numbers[..^1])
            Directory.Delete(Path.Combine(_path, string.Create(CultureInfo.InvariantCulture, $"{StatePrefix}{given}")),
                recursive: true);
    }

    private static string InstanceOf(string path, string definition)
    {
        string file = Path.Combine(path, InstanceName);
        if (File.Exists(file) && File.ReadAllText(file) is { Length: > 0 } known && known.StartsWith(definition, StringComparison.Ordinal))
            return known;
        string instance = $"{definition}-{Guid.CreateVersion7():N}";
        File.WriteAllText(file, instance);
        return instance;
    }
}
