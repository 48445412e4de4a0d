namespace KafkaEventSourcing.Projections;

/// <summary>
/// How large the documents of a read model are, learned from what was written: how many make a transaction. It begins with few, and is
/// careful: one large batch counts for long. Not thread-safe.
/// </summary>
internal sealed class DocumentSizes
{
    private const int FirstDocuments = 16; // of 16 MB at most, which is the largest that MongoDB takes
    private const int Growth = 4;
    private const int MaxDocuments = 100_000;

    private long _average;
    private int _most = FirstDocuments;

    /// <summary>The most documents of the next transaction.</summary>
    public int Transaction(long maxBytes) => Math.Max(1, _average == 0 ? _most : (int)Math.Min(_most, maxBytes / _average));

    public void Wrote(int documents, long bytes)
    {
        if (documents == 0)
            return;
        _average = Math.Max(1, Math.Max(bytes / documents, _average - (_average / Growth)));
        if (documents >= _most)
            _most = Math.Min(MaxDocuments, _most * Growth);
    }
}
