using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Hosting.Http;

namespace KafkaEventSourcing.Chaos.Load;

/// <summary>
/// A command of a workload, with blanks: <c>"{1..60}"</c> is a number of that range, <c>"{wallet}"</c> the id of one of the wallets that
/// are there.
/// </summary>
/// <param name="Aggregate">The aggregate type that decides it.</param>
/// <param name="CommandType">The command.</param>
/// <param name="Weight">How often it is sent, in proportion to the others.</param>
/// <param name="Aggregates">How many aggregates take it in turn; 0: a new one each time.</param>
/// <param name="Body">The command in JSON.</param>
internal sealed partial record CommandTemplate(AggregateDefinition Aggregate, Type CommandType, int Weight, int Aggregates, JsonObject Body)
{
    /// <summary>The command, its blanks filled.</summary>
    /// <exception cref="InvalidInputException">The body is not such a command.</exception>
    public object Fill(SeededRandom random, Func<string, string> idOf)
    {
        JsonNode filled = Fill(Body, random, idOf)!;
        try
        {
            return filled.Deserialize(CommandType, JsonFormat.Options)!;
        }
        catch (JsonException unusable)
        {
            throw new InvalidInputException("--load",
                $"The body of {CommandType.Name}, {Body.ToJsonString()}, is none: {unusable.Message}", unusable);
        }
    }

    private static JsonNode? Fill(JsonNode? node, SeededRandom random, Func<string, string> idOf) => node switch
    {
        JsonObject members => new JsonObject(members.Select(m => KeyValuePair.Create(m.Key, Fill(m.Value, random, idOf)))),
        JsonArray items => new JsonArray([.. items.Select(i => Fill(i, random, idOf))]),
        JsonValue value when value.GetValueKind() == JsonValueKind.String => Blank(value.GetValue<string>(), random, idOf),
        _ => node?.DeepClone(),
    };

    private static JsonValue Blank(string text, SeededRandom random, Func<string, string> idOf)
    {
        if (Range().Match(text) is { Success: true } range)
            return JsonValue.Create(random.Between(Number(range.Groups[1]), Number(range.Groups[2])));
        return JsonValue.Create(Name().Match(text) is { Success: true } name ? idOf(name.Groups[1].Value) : text);

        static long Number(Group group) => long.Parse(group.ValueSpan, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"^\{(-?\d{1,18})\.\.(-?\d{1,18})\}$")]
    private static partial Regex Range();

    [GeneratedRegex(@"^\{([a-z][a-z0-9-]*)\}$")]
    private static partial Regex Name();
}
