namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>The keys of documents, from their bytes.</summary>
internal static class DocumentKeys
{
    [ThreadStatic]
    private static KeyString? s_key;

    /// <summary>
    /// The key of a document whose first field is a plain <c>_id</c>, as every driver sends it; empty: another document. It is good until
    /// the next call on this thread.
    /// </summary>
    public static ReadOnlySpan<byte> From(CollectionDefinition collection, ReadOnlySpan<byte> document)
    {
        var fields = new RawBson(document);
        if (!fields.MoveNext() || !fields.Current.Name.SequenceEqual("_id"u8))
            return default;
        KeyString key = (s_key ??= new KeyString()).Reset().Int32(collection.Number).Int32(0);
        return key.TryAppend(fields.Current.Type, fields.Current.Value) ? key.Written : default;
    }
}
