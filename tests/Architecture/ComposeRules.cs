using System.Globalization;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace KafkaEventSourcing.Architecture.Tests;

/// <summary>
/// What the Compose specification asks of a file, as far as ours uses it, and what we ask besides: pinned images, ports on the loopback
/// address, health checks. It knows every key that may be in its place; any other is a fault.
/// </summary>
internal sealed partial class ComposeRules
{
    private readonly List<string> _faults = [];
    private readonly Dictionary<string, YamlMappingNode> _services = [];
    private readonly Dictionary<string, string> _hostPorts = [];
    private readonly HashSet<string> _usedVolumes = [];
    private readonly HashSet<string> _usedNetworks = [];
    private HashSet<string> _volumes = [];
    private HashSet<string> _networks = [];

    private ComposeRules()
    {
    }

    /// <summary>What is wrong with a file, each with its place; empty when nothing is.</summary>
    public static IReadOnlyList<string> FaultsOf(string yaml)
    {
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(yaml));
        }
        catch (YamlException malformed)
        {
            return [$"line {malformed.Start.Line}: {malformed.Message}"];
        }

        var rules = new ComposeRules();
        rules.File(Merged((YamlMappingNode)stream.Documents[0].RootNode));
        return rules._faults;
    }

    /// <summary><paramref name="node"/> with what its <c>&lt;&lt;</c> merges, as YAML 1.1 has it and Compose reads it.</summary>
    public static YamlMappingNode Merged(YamlMappingNode node)
    {
        if (!node.Children.TryGetValue("<<", out YamlNode? merged))
            return node;
        var result = new YamlMappingNode(Merged((YamlMappingNode)merged).Children);
        foreach ((YamlNode key, YamlNode value) in node.Children.Where(c => c.Key.ToString() != "<<"))
            result.Children[key] = value;
        return result;
    }

    private void File(YamlMappingNode file)
    {
        Keys("", file, required: ["name", "services"], optional: ["volumes", "networks"], extensions: true);
        _volumes = Declared(file, "volumes");
        _networks = Declared(file, "networks");
        foreach ((string name, YamlNode service) in Entries("services", file, "services"))
        {
            if (service is YamlMappingNode mapping)
                _services.Add(name, Merged(mapping));
            else
                Fault($"services.{name}", "is not a mapping");
        }

        foreach ((string name, YamlMappingNode service) in _services)
            Service($"services.{name}", service);
        foreach (string unused in _volumes.Except(_usedVolumes))
            Fault($"volumes.{unused}", "is used by no service");
        foreach (string unused in _networks.Except(_usedNetworks))
            Fault($"networks.{unused}", "is used by no service");
        foreach (string name in _services.Keys.Where(s => DependsOn(s, s, [])))
            Fault($"services.{name}", "depends on itself");
    }

    private void Service(string place, YamlMappingNode service)
    {
        Keys(place, service, required: ["restart"],
            optional: ["image", "build", "ports", "environment", "volumes", "networks", "depends_on", "command", "healthcheck"]);
        if (service.Children.ContainsKey("image") == service.Children.ContainsKey("build"))
            Fault(place, "has either an image or a build");
        Scalar(place, service, "image", PinnedImage(), "is not an image with a version, such as mongo:8.0.13");
        Scalar(place, service, "restart", Restart(), "is not a restart policy");
        Build(place, service);
        foreach (string port in List(place, service, "ports"))
            PublishedPort($"{place}.ports", port);
        foreach (string volume in List(place, service, "volumes"))
            Mount($"{place}.volumes", volume);
        foreach (string network in List(place, service, "networks"))
        {
            _usedNetworks.Add(network);
            if (!_networks.Contains(network))
                Fault($"{place}.networks", $"'{network}' is not declared");
        }

        foreach ((string name, YamlNode value) in Entries(place, service, "environment"))
            Variable($"{place}.environment.{name}", name, value);
        foreach ((string name, YamlNode condition) in Entries(place, service, "depends_on"))
            Dependency($"{place}.depends_on.{name}", name, condition);
        _ = List(place, service, "command");
        HealthCheck(place, service);
    }

    private void Build(string place, YamlMappingNode service)
    {
        if (!service.Children.TryGetValue("build", out YamlNode? node))
            return;
        if (node is not YamlMappingNode build)
        {
            Fault($"{place}.build", "is not a mapping");
            return;
        }

        Keys($"{place}.build", build, required: ["context", "dockerfile", "target"], optional: []);
        if (build.Children.TryGetValue("dockerfile", out YamlNode? dockerfile)
            && !Repository.Files(".", "Dockerfile").Contains(dockerfile.ToString()))
            Fault($"{place}.build.dockerfile", $"'{dockerfile}' is not there");
    }

    private void PublishedPort(string place, string text)
    {
        Match port = Port().Match(text);
        if (!port.Success || new[] { "host", "container" }.Any(p =>
            !int.TryParse(port.Groups[p].Value, CultureInfo.InvariantCulture, out int number) || number is < 1 or > 65535))
        {
            Fault(place, $"'{text}' is not a port such as 127.0.0.1:8080:8080");
            return;
        }

        if (!_hostPorts.TryAdd(port.Groups["host"].Value, place))
            Fault(place, $"'{text}' takes the port that {_hostPorts[port.Groups["host"].Value]} has");
    }

    private void Mount(string place, string text)
    {
        Match mount = Volume().Match(text);
        if (!mount.Success)
        {
            Fault(place, $"'{text}' is not a volume such as data:/data or ./infra:/infra:ro");
            return;
        }

        string source = mount.Groups["source"].Value;
        if (source.StartsWith('.'))
        {
            if (!Directory.Exists(Path.Combine(Repository.Root, source)))
                Fault(place, $"'{source}' is not there");
            return;
        }

        _usedVolumes.Add(source);
        if (!_volumes.Contains(source))
            Fault(place, $"'{source}' is not declared");
    }

    private void Variable(string place, string name, YamlNode value)
    {
        if (!VariableName().IsMatch(name))
            Fault(place, "is not a name of a variable");
        // Compose refuses true and hands on 0123 as 83: what is not quoted is not text.
        if (value is not YamlScalarNode scalar || scalar.Style == ScalarStyle.Plain && NotText().IsMatch(scalar.Value ?? ""))
            Fault(place, $"'{value}' must be quoted");
    }

    private void Dependency(string place, string name, YamlNode node)
    {
        if (!_services.TryGetValue(name, out YamlMappingNode? other))
        {
            Fault(place, "is not a service");
            return;
        }

        if (node is not YamlMappingNode dependency)
        {
            Fault(place, "is not a mapping with a condition");
            return;
        }

        Keys(place, dependency, required: ["condition"], optional: []);
        string condition = dependency.Children.TryGetValue("condition", out YamlNode? asked) ? asked.ToString() : "";
        bool ends = other.Children.TryGetValue("restart", out YamlNode? restart) && restart.ToString() == "no";
        switch (condition)
        {
            case "service_healthy" when !other.Children.ContainsKey("healthcheck"):
                Fault(place, "waits for the health of a service that has no health check");
                break;
            case "service_completed_successfully" when !ends:
                Fault(place, "waits for the end of a service that is started again");
                break;
            case "service_healthy" or "service_completed_successfully":
                break;
            default:
                Fault(place, $"'{condition}' is not a condition that waits until the service can be used");
                break;
        }
    }

    private void HealthCheck(string place, YamlMappingNode service)
    {
        bool runsOn = service.Children.TryGetValue("restart", out YamlNode? restart) && restart.ToString() != "no";
        if (!service.Children.TryGetValue("healthcheck", out YamlNode? node))
        {
            if (runsOn)
                Fault(place, "runs on and has no health check");
            return;
        }

        place += ".healthcheck";
        if (node is not YamlMappingNode health)
        {
            Fault(place, "is not a mapping");
            return;
        }

        Keys(place, health, required: ["test", "interval", "timeout", "retries"], optional: ["start_period"]);
        if (List(place, health, "test") is not ["CMD", _, ..] and not ["CMD-SHELL", _])
            Fault($"{place}.test", "is not a list of CMD and a command, or of CMD-SHELL and a line");
        foreach (string duration in (string[])["interval", "timeout", "start_period"])
            Scalar(place, health, duration, Duration(), "is not a duration such as 10s");
        Scalar(place, health, "retries", Count(), "is not a positive number");
    }

    private bool DependsOn(string service, string wanted, HashSet<string> seen) =>
        _services.TryGetValue(service, out YamlMappingNode? from)
            && from.Children.TryGetValue("depends_on", out YamlNode? needs)
            && needs is YamlMappingNode named
        && named.Children.Keys.Select(k => k.ToString()).Any(n => n == wanted || seen.Add(n) && DependsOn(n, wanted, seen));

    private void Keys(string place, YamlMappingNode node, string[] required, string[] optional, bool extensions = false)
    {
        string[] given = [.. node.Children.Keys.Select(k => k.ToString()).Where(k =>
            !extensions || !k.StartsWith("x-", StringComparison.Ordinal))];
        foreach (string unknown in given.Except(required).Except(optional))
            Fault(place, $"has no key '{unknown}'");
        foreach (string missing in required.Except(given))
            Fault(place, $"lacks the key '{missing}'");
    }

    private void Scalar(string place, YamlMappingNode node, string key, Regex form, string otherwise)
    {
        if (node.Children.TryGetValue(key, out YamlNode? value) && (value is not YamlScalarNode || !form.IsMatch(value.ToString())))
            Fault($"{place}.{key}", $"'{value}' {otherwise}");
    }

    private string[] List(string place, YamlMappingNode node, string key)
    {
        if (!node.Children.TryGetValue(key, out YamlNode? value))
            return [];
        if (value is YamlSequenceNode list && list.All(i => i is YamlScalarNode))
            return [.. list.Select(i => i.ToString())];
        Fault($"{place}.{key}", "is not a list of texts");
        return [];
    }

    private IEnumerable<(string Name, YamlNode Value)> Entries(string place, YamlMappingNode node, string key)
    {
        if (!node.Children.TryGetValue(key, out YamlNode? value))
            return [];
        if (value is YamlMappingNode mapping)
            return Merged(mapping).Children.Select(c => (c.Key.ToString(), c.Value));
        Fault($"{place}.{key}", "is not a mapping");
        return [];
    }

    private HashSet<string> Declared(YamlMappingNode file, string key) => [.. Entries("", file, key).Select(e => e.Name)];

    private void Fault(string place, string what) => _faults.Add($"{(place.Length == 0 ? "the file" : place)} {what}");

    [GeneratedRegex(@"^[a-z0-9][a-z0-9._/-]*:\d+\.\d+(\.\d+)?$")]
    private static partial Regex PinnedImage();

    [GeneratedRegex("^(no|always|on-failure|unless-stopped)$")]
    private static partial Regex Restart();

    [GeneratedRegex(@"^127\.0\.0\.1:(?<host>\d{1,5}):(?<container>\d{1,5})$")]
    private static partial Regex Port();

    [GeneratedRegex(@"^(?<source>\./[\w./-]+|[a-z0-9][a-z0-9_.-]*):/[\w./-]*(:ro)?$")]
    private static partial Regex Volume();

    [GeneratedRegex("^[A-Z][A-Z0-9_]*$")]
    private static partial Regex VariableName();

    [GeneratedRegex(@"^(|~|null|true|false|yes|no|on|off|[-+]?(\d[\d_]*(\.\d*)?|\.\d+)(e[-+]?\d+)?|0[xo][0-9a-fA-F]+)$",
        RegexOptions.IgnoreCase)]
    private static partial Regex NotText();

    [GeneratedRegex(@"^([1-9]\d*(us|ms|s|m|h))+$")]
    private static partial Regex Duration();

    [GeneratedRegex(@"^[1-9]\d*$")]
    private static partial Regex Count();
}
