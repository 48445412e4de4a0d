using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Has Confluent's client use the librdkafka that it was built and packaged with. On Linux .NET looks for a library of that name in the
/// system when the packaged one does not load, as it does not where libsasl2.so.3 is missing; and a system's own is as a rule too old. The
/// package has another build that needs nothing of the system: that one is taken then, and never the system's. Elsewhere the loader's own
/// rules hold.
/// </summary>
internal static class PackagedLibrdkafka
{
    private const string Name = "librdkafka";
    private static readonly string[] Glibc = ["librdkafka.so", "centos8-librdkafka.so"];
    private static readonly string[] Musl = ["alpine-librdkafka.so", "librdkafka.so"];
    private static readonly Lazy<(IntPtr Handle, string? Path)> Chosen = new(() =>
        Choose(Folders(), IsMusl, File.Exists, NativeLibrary.Load));

    /// <summary>The file that is used; null: the loader has chosen.</summary>
    public static string? Path => OperatingSystem.IsLinux() ? Chosen.Value.Path : null;

    private static bool IsMusl => RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal)
        || RuntimeInformation.RuntimeIdentifier.StartsWith("alpine", StringComparison.Ordinal);

    /// <summary>The first of the packaged libraries that loads; no handle where there is none in <paramref name="folders"/>.</summary>
    /// <exception cref="DllNotFoundException">There are some, and none loads; the message says why.</exception>
    internal static (IntPtr Handle, string? Path) Choose(
        IEnumerable<string> folders, bool isMusl, Func<string, bool> exists, Func<string, IntPtr> load)
    {
        var refused = new List<string>();
        string[] present = [.. folders.SelectMany(f => (isMusl ? Musl : Glibc).Select(n => System.IO.Path.Combine(f, n))).Where(exists)
            .Distinct()];
        foreach (string path in present)
        {
            try
            {
                return (load(path), path);
            }
            catch (Exception unloadable) when (unloadable is DllNotFoundException or BadImageFormatException)
            {
                refused.Add(unloadable.Message.ReplaceLineEndings(" "));
            }
        }

        return present.Length == 0
            ? default
            : throw new DllNotFoundException($"None of the packaged builds of librdkafka can be loaded: {string.Join(" ", refused)}");
    }

#pragma warning disable CA2255 // A library's initializer: whoever uses a client of this project has run it before the first one is made.
    [ModuleInitializer]
    internal static void Use()
#pragma warning restore CA2255
    {
        if (!OperatingSystem.IsLinux())
            return;
        try
        {
            NativeLibrary.SetDllImportResolver(typeof(Confluent.Kafka.Library).Assembly, Resolve);
        }
        catch (InvalidOperationException)
        {
            // Another library of this project, or the application, has set one before.
        }
    }

    private static IntPtr Resolve(string library, Assembly assembly, DllImportSearchPath? searchPath) =>
        library.Contains(Name, StringComparison.Ordinal) ? Chosen.Value.Handle : IntPtr.Zero;

    // Of an application that was built for all systems, and of one that was published for this one.
    private static IEnumerable<string> Folders()
    {
        string architecture = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        yield return System.IO.Path.Combine(AppContext.BaseDirectory, "runtimes", $"linux-{architecture}", "native");
        yield return AppContext.BaseDirectory;
        foreach (string folder in (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string
            ?? "").Split(System.IO.Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            yield return folder;
    }
}
