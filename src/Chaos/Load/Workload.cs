using System.Text.Json;
using System.Text.Json.Nodes;
using KafkaEventSourcing.Hosting.Http;

namespace KafkaEventSourcing.Chaos.Load;

/// <summary>What callers send.</summary>
/// <param name="Templates">The commands.</param>
internal sealed record Workload(IReadOnlyList<CommandTemplate> Templates)
{
    // So many aggregates of each type, when examples are all that is known.
    private const int AggregatesOfExamples = 20;

    private readonly int _total = Templates.Sum(t => t.Weight);

    /// <summary>How many aggregates of each type are used again and again.</summary>
    public IReadOnlyDictionary<string, int> Lasting { get; } =
        Templates.Where(t => t.Aggregates > 0).GroupBy(t => t.Aggregate.Name).ToDictionary(g => g.Key, g => g.Max(t => t.Aggregates));

    /// <summary>A command by weight.</summary>
    public CommandTemplate Draw(SeededRandom random)
    {
        int left = random.Below(_total);
        foreach (CommandTemplate template in Templates)
        {
            if ((left -= template.Weight) < 0)
                return template;
        }

        return Templates[^1];
    }

    /// <summary>Reads a workload: per aggregate type its commands, with weights, and how many aggregates there are of it.</summary>
    /// <exception cref="InvalidInputException">It is not of that form; the message says where.</exception>
    public static Workload Parse(string json, IReadOnlyList<AggregateDefinition> aggregates)
    {
        try
        {
            var templates = new List<CommandTemplate>();
            foreach ((string name, JsonNode? types) in JsonNode.Parse(json)!.AsObject())
            {
                AggregateDefinition aggregate = aggregates.FirstOrDefault(a => a.Name == name)
                    ?? throw Wrong($"There is no aggregate '{name}'; there are {string.Join(", ", aggregates.Select(a => a.Name))}.");
                int count = types!["aggregates"]?.GetValue<int>() ?? 0;
                foreach (JsonNode? command in types["commands"]!.AsArray())
                    templates.Add(ReadCommand(aggregate, count, command!));
            }

            var workload = new Workload(templates);
            if (workload._total == 0)
                throw Wrong("It has no command with a weight.");
            var random = new SeededRandom(0);
            foreach (CommandTemplate template in templates)
                _ = template.Fill(random, asked =>
                    workload.Lasting.ContainsKey(asked)
                        ? asked
                        : throw Wrong($"'{{{asked}}}' names no aggregate type that has a count of aggregates."));
            return workload;
        }
        catch (Exception malformed) when (malformed is JsonException or InvalidOperationException or NullReferenceException
            or FormatException)
        {
            throw new InvalidInputException("--load", $"The workload cannot be read: {malformed.Message}", malformed);
        }
    }

    /// <summary>
    /// The examples of an application's OpenAPI document as a workload: each command equally often, numbers from 1 up to that of the
    /// example.
    /// </summary>
    /// <exception cref="InvalidInputException">There are no commands in it.</exception>
    public static Workload OfExamples(JsonNode openApi, IReadOnlyList<AggregateDefinition> aggregates)
    {
        var templates = new List<CommandTemplate>();
        foreach (AggregateDefinition aggregate in aggregates)
        {
            foreach (Type command in aggregate.CommandTypes.Where(aggregate.Accepts).OrderBy(t => t.Name, StringComparer.Ordinal))
            {
                JsonNode? operation = openApi["paths"]?[$"/{aggregate.Name}/{{id}}/{Names.InUrl(command)}"]?["post"];
                JsonNode? content = operation?["requestBody"]?["content"]?["application/json"];
                if ((content?["example"] ?? content?["examples"]?.AsObject().FirstOrDefault().Value?["value"]) is JsonObject example)
                    templates.Add(new CommandTemplate(aggregate, command, 1, AggregatesOfExamples, (JsonObject)Vary(example)!));
            }
        }

        return templates.Count > 0
            ? new Workload(templates)
            : throw Wrong("The application's OpenAPI document has no commands of its aggregates.");
    }

    private static CommandTemplate ReadCommand(AggregateDefinition aggregate, int count, JsonNode command)
    {
        string name = command["name"]!.GetValue<string>();
        Type type = aggregate.CommandTypes.Where(aggregate.Accepts).FirstOrDefault(t => Names.InUrl(t) == name)
            ?? throw Wrong($"The aggregate '{aggregate.Name}' has no command '{name}'; it has {string.Join(", ",
                aggregate.CommandTypes.Where(aggregate.Accepts).Select(Names.InUrl).Order(StringComparer.Ordinal))}.");
        int weight = command["weight"]?.GetValue<int>() ?? 1;
        return weight >= 0
            ? new CommandTemplate(aggregate, type, weight, count, command["body"]?.AsObject() ?? [])
            : throw Wrong($"The weight of '{name}' is {weight}; it must not be negative.");
    }

    private static JsonNode? Vary(JsonNode? node) => node switch
    {
        JsonObject members => new JsonObject(members.Select(m => KeyValuePair.Create(m.Key, Vary(m.Value)))),
        JsonArray items => new JsonArray([.. items.Select(Vary)]),
        JsonValue value when value.GetValueKind() == JsonValueKind.Number && value.TryGetValue(out long number) && number > 1 =>
            JsonValue.Create($"{{1..{number}}}"),
        _ => node?.DeepClone(),
    };

    private static InvalidInputException Wrong(string message) => new("--load", message);
}
