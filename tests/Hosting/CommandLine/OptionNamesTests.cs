using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Hosting.Hosts;

namespace KafkaEventSourcing.Hosting.Tests.CommandLine;

/// <summary>One set of options with two surfaces: what is wrong with a property is named as its reader knows it.</summary>
public sealed class OptionNamesTests
{
    public static TheoryData<Action<KafkaEventSourcingOptions>, string, string> Wrong => new()
    {
        { o => o.Partitions = 0, "--partitions is 0; it must be from 1 to 10,000.", "Bank:Partitions is 0; it must be from 1 to 10,000." },
        { o => o.NodeSecret = "short", "--node-secret has 5 characters", "Bank:NodeSecret has 5 characters" },
        { o => o.Kafka = "nowhere", "--kafka: 'nowhere' is not a Kafka address", "Bank:Kafka: 'nowhere' is not a Kafka address" },
        { o => o.KafkaSettings["no.such"] = "1", "--kafka-setting has a setting", "Bank:KafkaSettings has a setting" },
        { o => o.SchemaRegistry = "nowhere", "--registry is 'nowhere'", "Bank:SchemaRegistry is 'nowhere'" },
        { o => o.MongoDB = "nowhere", "--mongodb: 'nowhere' is not a MongoDB connection string",
            "Bank:MongoDB: 'nowhere' is not a MongoDB connection string" },
        { o => o.DataDirectory = " ", "--data is empty", "Bank:DataDirectory is empty" },
        { o => o.Advertise = new Uri("ftp://node"), "--advertise is 'ftp://node/'", "Bank:Advertise is 'ftp://node/'" },
        { o => o.ReadTimeout = TimeSpan.Zero, "KafkaEventSourcing:ReadTimeout is 00:00:00; it must be positive.",
            "Bank:ReadTimeout is 00:00:00; it must be positive." },
    };

    [Theory]
    [MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public void Property_out_of_range_is_named_by_its_option_and_by_its_key(
        Action<KafkaEventSourcingOptions> set, string inCommandLine, string inConfiguration)
    {
        var options = new KafkaEventSourcingOptions();
        OptionRules.Failures(options).ShouldBeEmpty();
        set(options);
        InvalidInputException wrong = OptionRules.Failures(options).ShouldHaveSingleItem();
        OptionFlags.InCommandLine(wrong).Message.ShouldStartWith(inCommandLine);
        OptionNames.InConfiguration(wrong, "Bank").Message.ShouldStartWith(inConfiguration);
        Should.Throw<InvalidInputException>(options.Validate).Field.ShouldBe(wrong.Field);
    }

    [Fact]
    public void Several_properties_out_of_range_are_told_together() =>
        OptionRules.Failures(new KafkaEventSourcingOptions { Partitions = 0, Standbys = -1, NodeId = "a b" }).Select(f => f.Field).ShouldBe(
            ["Partitions", "NodeId", "Standbys"]);

    [Fact]
    public void Options_that_messages_name_are_those_that_run_takes()
    {
        string[] taken = [.. RunCommand.Create(new NodeStarter(null!, embedded: null)).Options.Select(o => o.Name)];
        foreach (string property in typeof(KafkaEventSourcingOptions).GetProperties().Select(p => p.Name))
        {
            string name = OptionFlags.InCommandLine(new InvalidInputException(property, $"{property} is wrong")).Field;
            if (name.StartsWith('-'))
                taken.ShouldContain(name);
            else
                name.ShouldBe($"KafkaEventSourcing:{property}");
        }
    }

    [Theory]
    [InlineData(true, "MongoDB", "and MongoDB for its read models")]
    [InlineData(false, null, null)]
    public void MongoDB_is_missing_only_where_there_is_a_read_model(bool mongoDB, string? field, string? told)
    {
        InvalidInputException? missing = OptionRules.Missing(new ServerAddresses { Kafka = "h:1", Registry = "http://h" }, mongoDB);
        missing?.Field.ShouldBe(field);
        (missing is null).ShouldBe(field is null);
        missing?.Message.ShouldContain(told!);
    }
}
