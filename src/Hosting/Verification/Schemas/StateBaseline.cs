using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KafkaEventSourcing.Hosting.Verification;

/// <summary>
/// The states that aggregates had by the code before, each at the version that it was kept at: those that a fold by this code is compared
/// with. Not thread-safe.
/// </summary>
internal sealed class StateBaseline
{
    private readonly Dictionary<AggregateId, (long Version, string State)> _states = [];
    private readonly SortedSet<string> _shape = new(StringComparer.Ordinal);

    /// <summary>How many states there are.</summary>
    public int Count => _states.Count;

    /// <summary>How many were found equal or different.</summary>
    public long Compared { get; private set; }

    /// <summary>Fields that only one of the two codes has: not by themselves a change of a state.</summary>
    public IReadOnlyCollection<string> Shape => _shape;

    /// <summary>Keeps the state that an aggregate had at a version.</summary>
    public void Put(AggregateId id, long version, string state) => _states[id] = (version, state);

    /// <summary>Forgets an aggregate.</summary>
    public void Remove(AggregateId id) => _states.Remove(id);

    /// <summary>
    /// What differs between the state that was kept at <paramref name="version"/> and <paramref name="state"/>, which this code folds;
    /// null when nothing does, or nothing was kept at that version.
    /// </summary>
    public string? Compare(AggregateId id, long version, Func<string> state)
    {
        if (!_states.TryGetValue(id, out (long Version, string State) kept) || kept.Version != version)
            return null;
        Compared++;
        string now = state();
        return now == kept.State ? null : Difference(JsonNode.Parse(kept.State), JsonNode.Parse(now), "");
    }

    /// <summary>Reads what <see cref="Line"/> wrote; lines of other aggregate types are passed over.</summary>
    /// <exception cref="InvalidInputException">A line is not such a one.</exception>
    public static StateBaseline Read(IEnumerable<string> lines, string aggregate)
    {
        var baseline = new StateBaseline();
        int number = 0;
        foreach (string line in lines)
        {
            number++;
            try
            {
                var kept = (JsonObject)JsonNode.Parse(line)!;
                if ((string)kept["aggregate"]! == aggregate)
                    baseline.Put(AggregateId.Parse((string)kept["id"]!), (long)kept["version"]!, kept["state"]!.ToJsonString(Plain));
            }
            catch (Exception wrong) when (wrong is JsonException or InvalidCastException or InvalidOperationException
                or FormatException or NullReferenceException or ArgumentNullException or InvalidInputException)
            {
                throw new InvalidInputException("before", string.Create(CultureInfo.InvariantCulture,
                    $"Line {number} of the states before is not one that 'schemas check --save' wrote: {wrong.Message}"), wrong);
            }
        }

        return baseline;
    }

    /// <summary>One line that keeps a state.</summary>
    public static string Line(string aggregate, AggregateId id, long version, string state) =>
        new JsonObject { ["aggregate"] = aggregate, ["id"] = id.Value, ["version"] = version, ["state"] = JsonNode.Parse(state) }
            .ToJsonString(Plain);

    private static JsonSerializerOptions Plain { get; } =
        new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // The fields of both that differ, in words; null when none does.
    private string? Difference(JsonNode? before, JsonNode? now, string path)
    {
        if (before is JsonObject from && now is JsonObject to)
        {
            foreach ((string name, _) in from.Where(f => !to.ContainsKey(f.Key)))
                _shape.Add($"{path}{name} is gone");
            foreach ((string name, _) in to.Where(f => !from.ContainsKey(f.Key)))
                _shape.Add($"{path}{name} is new");
            string[] fields = [.. from.Where(f => to.ContainsKey(f.Key))
                .Select(f => Difference(f.Value, to[f.Key], $"{path}{f.Key}.")).OfType<string>()];
            return fields.Length > 0 ? string.Join("; ", fields) : null;
        }

        return JsonNode.DeepEquals(before, now) ? null : $"{path.TrimEnd('.')}: {Short(before)} -> {Short(now)}";
    }

    private static string Short(JsonNode? value)
    {
        const int most = 100;
        string text = value?.ToJsonString(Plain) ?? "null";
        return text.Length <= most ? text : text[..most] + "…";
    }
}
