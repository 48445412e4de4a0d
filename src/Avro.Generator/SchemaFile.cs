using System;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>One .avsc file.</summary>
internal sealed class SchemaFile : IEquatable<SchemaFile>
{
    public SchemaFile(string path, string text)
    {
        Path = path;
        Text = text;
    }

    public string Path { get; }

    public string Text { get; }

    public bool Equals(SchemaFile? other) => other is not null && Path == other.Path && Text == other.Text;

    public override bool Equals(object? obj) => Equals(obj as SchemaFile);

    public override int GetHashCode() => Path.GetHashCode() ^ Text.GetHashCode();
}
