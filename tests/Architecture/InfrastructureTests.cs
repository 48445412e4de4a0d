using System.Globalization;
using YamlDotNet.RepresentationModel;

namespace KafkaEventSourcing.Architecture.Tests;

public sealed class InfrastructureTests
{
    private static YamlMappingNode Compose { get; } = Load("docker-compose.yml");

    private static Dictionary<string, YamlMappingNode> Services { get; } =
        ((YamlMappingNode)Compose["services"]).Children.ToDictionary(c => c.Key.ToString(),
            c => ComposeRules.Merged((YamlMappingNode)c.Value));

    [Fact]
    public void Compose_has_the_services_of_the_design() =>
        Services.Keys.Order(StringComparer.Ordinal).ShouldBe(
            ["bank", "kafka-1", "kafka-2", "kafka-3", "mongodb", "schema-registry", "topics"]);

    [Fact]
    public void Compose_keeps_to_the_specification_and_our_rules() =>
        ComposeRules.FaultsOf(Repository.Read("docker-compose.yml")).ShouldBeEmpty();

    // Each plants one fault into our own file and must find that one and no other.
    [Theory]
    [InlineData("    depends_on:\n      topics:", "    depend_on:\n      topics:", "services.bank has no key 'depend_on'")]
    [InlineData("\nvolumes:\n", "\nvolumess:\n", "the file has no key 'volumess'", "services.kafka-1.volumes 'kafka-1' is not declared",
        "services.kafka-2.volumes 'kafka-2' is not declared",
        "services.kafka-3.volumes 'kafka-3' is not declared", "services.mongodb.volumes 'mongodb' is not declared",
        "services.bank.volumes 'bank' is not declared")]
    [InlineData("start_period: 30s", "start_periode: 30s", "services.bank.healthcheck has no key 'start_periode'")]
    [InlineData("start_period: 30s", "start_period: 30", "services.bank.healthcheck.start_period '30' is not a duration such as 10s")]
    [InlineData("restart: \"no\"", "restart: never", "services.topics.restart 'never' is not a restart policy",
        "services.topics runs on and has no health check",
        "services.bank.depends_on.topics waits for the end of a service that is started again")]
    [InlineData("127.0.0.1:8080:8080", "127.0.0.1:80800:8080",
        "services.bank.ports '127.0.0.1:80800:8080' is not a port such as 127.0.0.1:8080:8080")]
    [InlineData("127.0.0.1:8080:8080", "8080:8080", "services.bank.ports '8080:8080' is not a port such as 127.0.0.1:8080:8080")]
    [InlineData("127.0.0.1:8080:8080", "127.0.0.1:8081:8080",
        "services.bank.ports '127.0.0.1:8081:8080' takes the port that services.schema-registry.ports has")]
    [InlineData("      mongodb: { condition: service_healthy }", "      mongo: { condition: service_healthy }",
        "services.bank.depends_on.mongo is not a service")]
    [InlineData("      mongodb: { condition: service_healthy }", "      mongodb: { condition: service_started }",
        "services.bank.depends_on.mongodb 'service_started' is not a condition that waits until the service can be used")]
    [InlineData("      mongodb: { condition: service_healthy }", "      mongodb: { condition: service_completed_successfully }",
        "services.bank.depends_on.mongodb waits for the end of a service that is started again")]
    [InlineData("topics: { condition: service_completed_successfully }", "topics: { condition: service_healthy }",
        "services.bank.depends_on.topics waits for the health of a service that has no health check")]
    [InlineData("    image: mongo:8.0.13\n", "    image: mongo:8.0.13\n    depends_on: { bank: { condition: service_healthy } }\n",
        "services.mongodb depends on itself", "services.bank depends on itself")]
    [InlineData("volumes: [\"bank:/data\"]", "volumes: [\"banks:/data\"]", "services.bank.volumes 'banks' is not declared",
        "volumes.bank is used by no service")]
    [InlineData("volumes: [\"bank:/data\"]", "volumes: [\"bank:data\"]",
        "services.bank.volumes 'bank:data' is not a volume such as data:/data or ./infra:/infra:ro", "volumes.bank is used by no service")]
    [InlineData("./infra:/infra:ro", "./infrastructure:/infra:ro", "services.topics.volumes './infrastructure' is not there")]
    [InlineData("volumes: [\"bank:/data\"]", "volumes: [\"bank:/data\"]\n    networks: [inner]",
        "services.bank.networks 'inner' is not declared")]
    [InlineData("\nvolumes:\n", "\nnetworks:\n  inner:\nvolumes:\n", "networks.inner is used by no service")]
    [InlineData("mongo:8.0.13", "mongo", "services.mongodb.image 'mongo' is not an image with a version, such as mongo:8.0.13")]
    [InlineData("mongo:8.0.13", "mongo:latest",
        "services.mongodb.image 'mongo:latest' is not an image with a version, such as mongo:8.0.13")]
    [InlineData("image: mongo:8.0.13",
        "image: mongo:8.0.13\n    build: { context: ., dockerfile: samples/Banking/Dockerfile, target: bank }",
        "services.mongodb has either an image or a build")]
    [InlineData("dockerfile: samples/Banking/Dockerfile, target: bank", "dockerfile: samples/Bank/Dockerfile, target: bank",
        "services.bank.build.dockerfile 'samples/Bank/Dockerfile' is not there")]
    [InlineData("KES_HTTP_PORT: \"8080\"", "KES_HTTP_PORT: 8080", "services.bank.environment.KES_HTTP_PORT '8080' must be quoted")]
    [InlineData("KAFKA_AUTO_CREATE_TOPICS_ENABLE: \"false\"", "KAFKA_AUTO_CREATE_TOPICS_ENABLE: false",
        "services.kafka-1.environment.KAFKA_AUTO_CREATE_TOPICS_ENABLE 'false' must be quoted",
        "services.kafka-2.environment.KAFKA_AUTO_CREATE_TOPICS_ENABLE 'false' must be quoted",
        "services.kafka-3.environment.KAFKA_AUTO_CREATE_TOPICS_ENABLE 'false' must be quoted")]
    [InlineData("command: [\"topics\", \"apply\", \"/infra/topics.yaml\"]", "command: { topics: apply }",
        "services.topics.command is not a list of texts")]
    [InlineData("test: [\"CMD-SHELL\", \"curl -fsS http://localhost:8080", "test: [\"SHELL\", \"curl -fsS http://localhost:8080",
        "services.bank.healthcheck.test is not a list of CMD and a command, or of CMD-SHELL and a line")]
    [InlineData("name: kafka-event-sourcing\n", "", "the file lacks the key 'name'")]
    public void Compose_rules_find_a_planted_fault(string ours, string planted, params string[] faults)
    {
        string file = Repository.Read("docker-compose.yml");
        int place = file.IndexOf(ours, StringComparison.Ordinal);
        place.ShouldBeGreaterThanOrEqualTo(0, ours);
        ComposeRules.FaultsOf(string.Concat(file.AsSpan(0, place), planted, file.AsSpan(place + ours.Length))).ShouldBe(faults,
            ignoreOrder: true);
    }

    [Theory]
    [InlineData("services:\n", "services:\n  bank:\n    image: a:1.0\n")]
    [InlineData("services:\n", "services:\n\tbank\n")]
    public void Compose_rules_find_what_is_no_YAML_and_name_the_line(string ours, string planted)
    {
        string file = Repository.Read("docker-compose.yml");
        ComposeRules.FaultsOf(file.Replace(ours, planted, StringComparison.Ordinal)).ShouldHaveSingleItem().ShouldStartWith("line ");
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
        string known = string.Concat(Repository.Files("src", "*.cs").Where(f => f.StartsWith("src/Hosting", StringComparison.Ordinal))
            .Select(Repository.Read));
        foreach (string variable in Environment(Services["bank"]).Keys)
            known.ShouldContain($"\"{variable}\"");
    }

    [Fact]
    public void Dockerfile_has_the_stages_that_compose_builds()
    {
        string dockerfile = Repository.Read("samples/Banking/Dockerfile");
        foreach (YamlMappingNode build in Services.Values.Where(s => s.Children.ContainsKey("build")).Select(s =>
            (YamlMappingNode)s["build"]))
        {
            build["dockerfile"].ToString().ShouldBe("samples/Banking/Dockerfile");
            dockerfile.ShouldContain($" AS {build["target"]}\n");
        }
    }

    [Fact]
    public void Topics_of_the_declaration_agree_in_partitions_and_survive_one_broker()
    {
        YamlMappingNode[] topics = [.. ((YamlSequenceNode)Load("infra/topics.yaml")["topics"]).Cast<YamlMappingNode>()];
        topics.Select(t => t["name"].ToString()).ShouldBe(["bank.account.commands", "bank.account.events", "bank.account.snapshots",
            "bank.account.replies", "bank.account.owners", "bank.account.dead-letters",
            "bank.transfer.commands", "bank.transfer.events", "bank.transfer.snapshots", "bank.transfer.replies", "bank.transfer.owners",
            "bank.transfer.dead-letters", "bank.transfer.timers"]);
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
        ComposeRules.Merged((YamlMappingNode)service["environment"]).Children.ToDictionary(c => c.Key.ToString(), c => c.Value.ToString());
}
