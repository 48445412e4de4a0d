using System.ComponentModel;
using System.Runtime.InteropServices;

namespace KafkaEventSourcing.Archive;

/// <summary>
/// Entries of folders that outlast a loss of power, and that are made only where there is none: .NET's
/// <see cref="File.Move(string, string)"/> looks first and renames then, so that on Unix the second of two at the same time replaces the
/// first's file.
/// </summary>
internal static partial class DurableEntries
{
    private const int NotPermitted = 1; // EPERM: link(2) says it of file systems without hard links
    private const int Exists = 17; // EEXIST
    private const int Invalid = 22; // EINVAL
    private const int NoSuchCall = 38; // ENOSYS of Linux
    private const int NotSupported = 95; // EOPNOTSUPP of Linux
    private const int NotSupportedByMac = 45; // ENOTSUP of macOS
    private const int WindowsFileExists = 80;
    private const int WindowsAlreadyExists = 183;

    /// <summary>
    /// Gives a file another name in the same file system, unless there is an entry of that name. The old name is there, or is not,
    /// afterwards.
    /// </summary>
    /// <returns>False: there is an entry of that name, which is left as it is.</returns>
    /// <exception cref="IOException">The file system does not do it.</exception>
    public static bool TryName(string from, string to)
    {
        if (OperatingSystem.IsWindows())
            return Succeeds(MoveFileEx(from, to, WriteThrough), from, to, out _);
        if (Succeeds(Link(from, to) == 0, from, to, out bool isUnsupported))
            return true;
        if (!isUnsupported)
            return false;
        try
        {
            bool isRenamed = OperatingSystem.IsMacOS()
                ? RenameExclusively(from, to, RenameExclusive) == 0
                : RenameAt(CurrentFolder, from, CurrentFolder, to, RenameNoReplace) == 0;
            if (Succeeds(isRenamed, from, to, out isUnsupported) || !isUnsupported)
                return isRenamed;
        }
        catch (EntryPointNotFoundException)
        {
            // A C library from before there was such a call.
        }

        throw new IOException("its file system has neither hard links nor a rename that replaces nothing; use another file system");
    }

    /// <summary>Sees to it that the entries of a folder are on disk. Windows does so itself.</summary>
    public static void Flush(string folder)
    {
        if (OperatingSystem.IsWindows())
            return;
        int handle = Open(folder, OperatingSystem.IsMacOS() ? 0x1000000 : 0x80000); // O_RDONLY | O_CLOEXEC
        if (handle < 0)
            throw Failure(folder, Marshal.GetLastPInvokeError());
        try
        {
            // Some file systems, of networks above all, have nothing to flush.
            if (Sync(handle) != 0 && Marshal.GetLastPInvokeError() is var error and not (Invalid or NotSupported or NotSupportedByMac))
                throw Failure(folder, error);
        }
        finally
        {
            _ = Close(handle);
        }
    }

    private static bool Succeeds(bool done, string from, string to, out bool isUnsupported)
    {
        isUnsupported = false;
        if (done)
            return true;
        int error = Marshal.GetLastPInvokeError();
        if (OperatingSystem.IsWindows() ? error is WindowsFileExists or WindowsAlreadyExists : error == Exists)
            return false;
        isUnsupported = !OperatingSystem.IsWindows()
            && error is NotPermitted or NotSupported or NotSupportedByMac or NoSuchCall or Invalid;
        if (isUnsupported)
            return false;
        throw File.Exists(from) ? Failure(to, error) : new FileNotFoundException("what was written is gone", from);
    }

    private static IOException Failure(string path, int error) =>
        new($"{Marshal.GetPInvokeErrorMessage(error)} : '{path}'", new Win32Exception(error));

    private const uint WriteThrough = 8; // MOVEFILE_WRITE_THROUGH
    private const int CurrentFolder = -100; // AT_FDCWD
    private const uint RenameNoReplace = 1;
    private const uint RenameExclusive = 4; // RENAME_EXCL

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Link(string from, string to);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int RenameAt(int fromFolder, string from, int toFolder, string to, uint flags);

    [LibraryImport("libc", EntryPoint = "renamex_np", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int RenameExclusively(string from, string to, uint flags);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Sync(int handle);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Close(int handle);

    [LibraryImport("kernel32", EntryPoint = "MoveFileExW", SetLastError = true, StringMarshalling = StringMarshalling.Utf16)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool MoveFileEx(string from, string to, uint flags);
}
