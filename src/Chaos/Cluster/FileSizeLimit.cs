using System.ComponentModel;
using System.Runtime.InteropServices;

namespace KafkaEventSourcing.Chaos.Cluster;

/// <summary>
/// How large a running process may make its files (RLIMIT_FSIZE, see getrlimit(2)). Writes beyond it fail as on a full disk, though with
/// EFBIG instead of ENOSPC, if the process ignores SIGXFSZ. Sockets and pipes are not files. Linux only.
/// </summary>
internal static class FileSizeLimit
{
    private const int FileSize = 1; // RLIMIT_FSIZE
    private const ulong Unlimited = ulong.MaxValue;

    public static bool IsSupported => OperatingSystem.IsLinux() && Environment.Is64BitProcess;

    /// <summary>The command, started so that it learns of a file that is too large by an error and not by its death.</summary>
    public static IReadOnlyList<string> Ignoring(IReadOnlyList<string> command) =>
        IsSupported ? ["/bin/sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\"", .. command] : command;

    /// <summary>From now on no file of the process grows beyond <paramref name="bytes"/>.</summary>
    public static void Set(int process, ulong bytes) => Apply(process, bytes);

    public static void Lift(int process) => Apply(process, Unlimited);

    private static void Apply(int process, ulong bytes)
    {
        const int noSuchProcess = 3; // ESRCH
        var limit = new Limit { Soft = bytes, Hard = Unlimited };
        if (SetLimit(process, FileSize, in limit, IntPtr.Zero) != 0 && Marshal.GetLastPInvokeError() is var error and not noSuchProcess)
            throw new Win32Exception(error, $"The file size limit of process {process} could not be set");
    }

    [DllImport("libc", EntryPoint = "prlimit", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetLimit(int process, int resource, in Limit limit, IntPtr before);

    [StructLayout(LayoutKind.Sequential)]
    private struct Limit
    {
        public ulong Soft;
        public ulong Hard;
    }
}
