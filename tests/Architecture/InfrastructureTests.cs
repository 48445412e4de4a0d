using System.Globalization;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace KafkaEventSourcing.Architecture.Tests;

public sealed partial class InfrastructureTests
{
    // The keys of the Compose specification that a service and a health check may have, as far as they make sense here.
    private static readonly string[] ServiceKeys =
        ["image", "build", "restart", "ports", "environment", "volumes", "depends_on", "command", "healthcheck"];

    private static readonly string[] HealthKeys = ["test", "interval", "timeout", "retries", "start_period"];

    private static YamlMappingNode Compose { get; } = Load("docker-compose.yml");

    private static Dictionary<string, YamlMappingNode> Services { get; } =
        ((YamlMappingNode)Compose["services"]).Children.ToDictionary(c => c.Key.ToString(), c => Merged((YamlMappingNode)c.Value));

    [Fact]
    public void Compose_has_the_services_of_the_design()
    {
        Services.Keys.Order(StringComparer.Ordinal).ShouldBe(["bank", "kafka-1", "kafka-2", "kafka-3", "mongodb", "schema-registry", "topics"]);
        foreach ((string name, YamlMappingNode service) in Services)
        {
            service.Children.Keys.Select(k => k.ToString()).Except(ServiceKeys).ShouldBeEmpty(name);
            (service.Children.ContainsKey("image") ^ service.Children.ContainsKey("build")).ShouldBeTrue(name);
        }
    }

    [Fact]
    public void Compose_images_are_pinned()
    {
        foreach ((string name, YamlMappingNode service) in Services.Where(s => s.Value.Children.ContainsKey("image")))
            PinnedImage().IsMatch(service["image"].ToString()).ShouldBeTrue($"{name}: {service["image"]}");
    }

    [Fact]
    public void Compose_long_running_services_have_health_checks_and_volumes_are_declared()
    {
        var declared = ((YamlMappingNode)Compose["volumes"]).Children.Keys.Select(k => k.ToString()).ToHashSet();
        var used = new HashSet<string>();
        foreach ((string name, YamlMappingNode service) in Services.Where(s => s.Value["restart"].ToString() != "no"))
        {
            var health = (YamlMappingNode)service["healthcheck"];
            health.Children.Keys.Select(k => k.ToString()).Except(HealthKeys).ShouldBeEmpty(name);
            ((YamlSequenceNode)health["test"])[0].ToString().ShouldBeOneOf("CMD", "CMD-SHELL");
            if (service.Children.TryGetValue("volumes", out YamlNode? volumes))
                used.UnionWith(((YamlSequenceNode)volumes).Select(v => v.ToString().Split(':')[0]));
        }

        used.ShouldBe(declared, ignoreOrder: true);
    }

    [Fact]
    public void Compose_dependencies_exist_and_wait_for_health()
    {
        foreach ((string name, YamlMappingNode service) in Services)
        {
            if (!service.Children.TryGetValue("depends_on", out YamlNode? needs))
                continue;
            foreach ((YamlNode dependency, YamlNode condition) in ((YamlMappingNode)needs).Children)
            {
                Services.ShouldContainKey(dependency.ToString(), name);
                condition["condition"].ToString().ShouldBeOneOf("service_healthy", "service_completed_successfully");
            }
        }
    }

    [Fact]
    public void Compose_brokers_differ_in_id_port_and_volume_and_are_all_voters()
    {
        YamlMappingNode[] brokers = [.. Services.Where(s => s.Key.StartsWith("kafka-", StringComparison.Ordinal)).Select(s => s.Value)];
        string[] ids = [.. brokers.Select(b => Environment(b)["KAFKA_NODE_ID"])];
        ids.Distinct().Count().ShouldBe(3);
        brokers.Select(b => ((YamlSequenceNode)b["ports"])[0].ToString()).Distinct().Count().ShouldBe(3);
        brokers.Select(b => ((YamlSequenceNode)b["volumes"])[0].ToString()).Distinct().Count().ShouldBe(3);
        foreach (YamlMappingNode broker in brokers)
            Environment(broker)["KAFKA_CONTROLLER_QUORUM_VOTERS"].Split(',').Select(v => v.Split('@')[0]).ShouldBe(ids);
    }

    [Fact]
    public void Compose_bank_is_configured_by_variables_that_it_has()
    {
        string known = string.Concat(Repository.Files("src", "*.cs").Where(f => f.StartsWith("src/Hosting/", StringComparison.Ordinal)).Select(Repository.Read));
        foreach (string variable in Environment(Services["bank"]).Keys)
            known.ShouldContain($"\"{variable}\"");
    }

    [Fact]
    public void Dockerfile_has_the_stages_that_compose_builds()
    {
        string dockerfile = Repository.Read("samples/Banking/Dockerfile");
        foreach (YamlMappingNode build in Services.Values.Where(s => s.Children.ContainsKey("build")).Select(s => (YamlMappingNode)s["build"]))
        {
            build["dockerfile"].ToString().ShouldBe("samples/Banking/Dockerfile");
            dockerfile.ShouldContain($" AS {build["target"]}\n");
        }
    }

    [Fact]
    public void Topics_of_the_declaration_agree_in_partitions_and_survive_one_broker()
    {
        YamlMappingNode[] topics = [.. ((YamlSequenceNode)Load("infra/topics.yaml")["topics"]).Cast<YamlMappingNode>()];
        topics.Select(t => t["name"].ToString()).ShouldBe(["bank.account.commands", "bank.account.events", "bank.account.snapshots", "bank.account.replies", "bank.account.owners", "bank.account.dead-letters"]);
        topics.Select(t => t["partitions"].ToString()).Distinct().ShouldHaveSingleItem();
        foreach (YamlMappingNode topic in topics)
        {
            int replicas = int.Parse(topic["replicationFactor"].ToString(), CultureInfo.InvariantCulture);
            int.Parse(topic["configs"]["min.insync.replicas"].ToString(), CultureInfo.InvariantCulture).ShouldBeLessThan(replicas);
        }
    }

    private static YamlMappingNode Load(string path)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(Repository.Read(path)));
        return (YamlMappingNode)stream.Documents[0].RootNode;
    }

    private static Dictionary<string, string> Environment(YamlMappingNode service) =>
        Merged((YamlMappingNode)service["environment"]).Children.ToDictionary(c => c.Key.ToString(), c => c.Value.ToString());

    // "<<" merges, as YAML 1.1 has it and Compose reads it.
    private static YamlMappingNode Merged(YamlMappingNode node)
    {
        if (!node.Children.TryGetValue("<<", out YamlNode? merged))
            return node;
        var result = new YamlMappingNode(((YamlMappingNode)merged).Children);
        foreach ((YamlNode key, YamlNode value) in node.Children.Where(c => c.Key.ToString() != "<<"))
            result.Children[key] = value;
        return result;
    }

    [GeneratedRegex(@"^[a-z0-9./-]+:\d+\.\d+(\.\d+)?$")]
    private static partial Regex PinnedImage();
}
