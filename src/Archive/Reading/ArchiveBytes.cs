namespace KafkaEventSourcing.Archive;

/// <summary>Files of an archive as a whole.</summary>
internal static class ArchiveBytes
{
    /// <summary>All bytes of a file. It blocks.</summary>
    /// <exception cref="FileNotFoundException">It is not there.</exception>
    /// <exception cref="EndOfStreamException">It does not have the length that its entry says.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static byte[] Load(IArchiveStore store, ArchivedFile file, CancellationToken cancellationToken)
    {
        if (file.Bytes > Array.MaxLength)
            throw new EndOfStreamException($"The file {file.Name} in {store.Location} would have {file.Bytes} bytes.");
        byte[] content = GC.AllocateUninitializedArray<byte>((int)file.Bytes);
        int read = store.ReadAsync(file.Name, 0, content, cancellationToken).GetAwaiter().GetResult(); // readers own their threads
        if (read < content.Length)
            throw TooShort(store, file.Name, read, file.Bytes);
        byte[] more = new byte[1];
        return store.ReadAsync(file.Name, file.Bytes, more, cancellationToken).GetAwaiter().GetResult() == 0
            ? content
            : throw new EndOfStreamException($"The file {file.Name} in {store.Location} has more than {file.Bytes} bytes.");
    }

    /// <summary>What is thrown for a file that ends too early.</summary>
    public static EndOfStreamException TooShort(IArchiveStore store, string name, long end, long length) =>
        new($"The file {name} in {store.Location} ends at {end}, and has to have {length} bytes.");
}
