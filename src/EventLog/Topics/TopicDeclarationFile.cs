using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// A declaration file: <c>topics</c>, a list whose items have <c>name</c>, <c>partitions</c>, <c>replicationFactor</c> and <c>configs</c>.
/// A mistake is told with its line and column.
/// </summary>
internal sealed class TopicDeclarationFile(string path)
{
    private const string TopicsKey = "topics";
    private static readonly string[] TopicKeys = ["name", "partitions", "replicationFactor", "configs"];

    /// <exception cref="InvalidInputException">The file is not a declaration.</exception>
    public TopicSpecification[] Read()
    {
        var yaml = new YamlStream();
        try
        {
            using var text = new StringReader(File.ReadAllText(path));
            yaml.Load(text);
        }
        catch (YamlException malformed)
        {
            throw Wrong(malformed.Start, malformed.InnerException?.Message ?? malformed.Message, malformed);
        }

        Dictionary<string, YamlNode> file = yaml.Documents.Count == 0 ? [] : Fields(yaml.Documents[0].RootNode, "the file", [TopicsKey]);
        if (!file.TryGetValue(TopicsKey, out YamlNode? topics) || IsNothing(topics))
            throw new InvalidInputException(TopicsKey, $"{path} has no list '{TopicsKey}'.");
        if (topics is not YamlSequenceNode list)
            throw Wrong(topics.Start, $"'{TopicsKey}' must be a list: '- name: …' for each topic.");
        return [.. list.Children.Select(Topic)];
    }

    private TopicSpecification Topic(YamlNode node, int index)
    {
        Dictionary<string, YamlNode> fields = Fields(node, "a topic", TopicKeys);
        string name = fields.TryGetValue("name", out YamlNode? named) ? Text(named, "name") ?? "" : "";
        if (name.Length == 0)
            throw Wrong(node.Start, string.Create(CultureInfo.InvariantCulture, $"topic {index + 1} has no name."));
        int partitions = fields.TryGetValue("partitions", out YamlNode? counted) ? Number(counted, "partitions", name) : 0;
        if (partitions < 1)
            throw Wrong(node.Start,
                string.Create(CultureInfo.InvariantCulture, $"the topic {name} has {partitions} partitions; at least 1 is needed."));
        int replicas = fields.TryGetValue("replicationFactor", out YamlNode? factor)
            ? Number(factor, "replicationFactor", name)
            : TopicReplication.Unsaid;
        if (replicas != TopicReplication.Unsaid && replicas is < 1 or > short.MaxValue)
            throw Wrong(factor!.Start, string.Create(CultureInfo.InvariantCulture,
                $"the topic {name} has the replicationFactor {replicas}; it must be at least 1, or be left out."));
        return new TopicSpecification
        {
            Name = name,
            Partitions = partitions,
            ReplicationFactor = (short)replicas,
            Configs = fields.TryGetValue("configs", out YamlNode? configs) && !IsNothing(configs) ? Configs(configs, name) : [],
        };
    }

    private Dictionary<string, string> Configs(YamlNode node, string topic) => Fields(node, $"the configs of the topic {topic}", null)
        .ToDictionary(
        config => config.Key,
        config => Text(config.Value, config.Key)
            ?? throw Wrong(config.Value.Start, $"the config {config.Key} of the topic {topic} has no value."));

    // known: null where any name is right.
    private Dictionary<string, YamlNode> Fields(YamlNode node, string what, string[]? known)
    {
        if (node is not YamlMappingNode mapping)
            throw Wrong(node.Start, $"{what} must be names with values{(known is null ? "" : $" ({string.Join(", ", known)})")}.");
        var fields = new Dictionary<string, YamlNode>(StringComparer.Ordinal);
        foreach ((YamlNode key, YamlNode value) in mapping.Children)
        {
            string name = Text(key, "a name") ?? "";
            if (known is not null && !known.Contains(name))
                throw Wrong(key.Start, $"'{name}' is not known here; {what} may have {string.Join(", ", known)}.");
            fields.Add(name, value);
        }

        return fields;
    }

    private int Number(YamlNode node, string name, string topic)
    {
        string text = Text(node, name) ?? "";
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
            ? number
            : throw Wrong(node.Start, $"{name} of the topic {topic} is '{text}'; it must be a whole number.");
    }

    private string? Text(YamlNode node, string name) =>
        IsNothing(node) ? null
        : node is YamlScalarNode { Value: { } text } ? text
        : throw Wrong(node.Start, $"'{name}' must be one value, not a list or names with values.");

    private static bool IsNothing(YamlNode node) =>
        node is YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "~" or "null" or "Null" or "NULL" };

    private InvalidInputException Wrong(Mark place, string what, Exception? cause = null)
    {
        string message = string.Create(CultureInfo.InvariantCulture, $"{path}, line {place.Line}, column {place.Column}: {what}");
        return cause is null ? new InvalidInputException(TopicsKey, message) : new InvalidInputException(TopicsKey, message, cause);
    }
}
