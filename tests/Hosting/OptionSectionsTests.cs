using System.Globalization;
using System.Reflection;
using KafkaEventSourcing.Archive;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Hosting.Hosts;
using KafkaEventSourcing.Processing;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Projections.MongoDB;
using KafkaEventSourcing.Subscriptions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace KafkaEventSourcing.Hosting.Tests;

/// <summary>
/// What the parts of a node can be told, configuration can say: an option that is added to a part and forgotten here fails these tests.
/// </summary>
public sealed class OptionSectionsTests
{
    // Those that the node sets itself, by options of its own or as there is only one right value.
    private static readonly Dictionary<Type, string[]> OfTheNode = new()
    {
        [typeof(CommandProcessorOptions)] = ["StateDirectory", "MaxWaitingBytes", "BarrierEvents", "Standbys", "NodeId", "SessionTimeout",
            "AnswerTimeout", "IgnoreUnknownEvents", "StateStores", "StreamSnapshots"],
        [typeof(ProjectionEngineOptions)] = [],
        [typeof(EventSubscriptionOptions)] = ["GroupId", "SessionTimeout", "StopTimeout"],
        [typeof(MongoProjectionOptions)] = ["ConnectionString", "Database", "Indexes"],
        [typeof(StateStoreOptions)] = [],
        [typeof(ArchiveOptions)] = [],
    };

    [Fact]
    public void Every_option_of_the_parts_is_set_by_configuration()
    {
        KafkaEventSourcingOptions options = Bind(new Dictionary<string, string>(
            Values("Processing", typeof(ProcessingOptions)).Concat(Values("StateStores", typeof(StateStoreOptions))).Concat(
                Values("ReadModels", typeof(ReadModelOptions))).Concat(Values("Archive", typeof(ArchiveOptions)))));
        OptionRules.Failures(options).ShouldBeEmpty();
        ShouldHaveValues(options.Processing.Over(new CommandProcessorOptions { StateDirectory = "." }));
        ShouldHaveValues(options.StateStores);
        ShouldHaveValues(options.Archive);
        ShouldHaveValues(options.ReadModels.Over(new ProjectionEngineOptions()));
        ShouldHaveValues(options.ReadModels.Over(new EventSubscriptionOptions { GroupId = "g" }));
        ShouldHaveValues(options.ReadModels.Over(new MongoProjectionOptions { ConnectionString = "c", Database = "d" }));
    }

    [Fact]
    public void Sections_that_say_nothing_leave_the_parts_as_they_are()
    {
        var options = new KafkaEventSourcingOptions();
        var processor = new CommandProcessorOptions { StateDirectory = "." };
        options.Processing.Over(processor).ShouldBe(processor);
        options.StateStores.ShouldBe(new StateStoreOptions());
        options.ReadModels.Over(new ProjectionEngineOptions()).ShouldBe(new ProjectionEngineOptions());
        var feed = new EventSubscriptionOptions { GroupId = "g" };
        options.ReadModels.Over(feed).ShouldBe(feed);
    }

    [Theory]
    [InlineData("Processing:MaxBatchCommands", "0", "Processing:MaxBatchCommands is 0; it must be at least 1.")]
    [InlineData("Processing:TransactionTimeout", "00:00:00.5", "Processing:TransactionTimeout is 00:00:00.5000000")]
    [InlineData("StateStores:MaxOpenFiles", "3", "StateStores:MaxOpenFiles is 3; it must be at least 16, or -1 for all.")]
    [InlineData("StateStores:WriteBufferBytes", "1000", "StateStores:WriteBufferBytes is 1000; it must be at least 1 MiB")]
    [InlineData("PersonalData:MasterKey", "one:c2hvcnQ=", "PersonalData:MasterKey: line 1 of MasterKey must have 32 random bytes")]
    [InlineData("PersonalData:MasterKeyFile", "no/such/file", "PersonalData:MasterKeyFile: the file no/such/file cannot be read")]
    [InlineData("ReadModels:CheckInterval", "00:00:00", "ReadModels:CheckInterval is 00:00:00; it must be positive.")]
    [InlineData("ReadModels:RetryDelay", "00:00:00", "ReadModels:RetryDelay is 00:00:00 and MaxRetryDelay")]
    [InlineData("Archive:RangeEvents", "0", "Archive:RangeEvents is 0; it must be from 1 to 10,000,000.")]
    [InlineData("Archive:HotFor", "30", "Archive:HotFor is set, and Location is not: events leave a topic only when")]
    public void Value_out_of_range_is_named_with_its_section(string key, string value, string told)
    {
        InvalidInputException wrong = OptionRules.Failures(Bind(new() { [key] = value })).ShouldHaveSingleItem();
        wrong.Message.ShouldStartWith(told);
        OptionNames.InConfiguration(wrong, "Bank").Message.ShouldStartWith($"Bank:{told}");
        OptionFlags.InCommandLine(wrong).Message.ShouldStartWith($"KafkaEventSourcing:{told}");
    }

    [Fact]
    public void Subscription_has_what_the_configuration_says_over_its_definition()
    {
        KafkaEventSourcingOptions options = Bind(new()
        {
            ["Subscriptions:mailer:Attempts"] = "9", ["Subscriptions:mailer:RetryDelay"] = "00:00:01",
        });
        SubscriptionDefinition mailer = Mailer();
        SubscriptionDefinition merged = SubscriptionOverrides.Over(mailer, options);
        merged.Options.ShouldBe(mailer.Options with { Attempts = 9, RetryDelay = TimeSpan.FromSeconds(1) });
        (merged.Name, merged.Start, mailer.Options.Attempts).ShouldBe((mailer.Name, mailer.Start, new SubscriptionOptions().Attempts));
    }

    [Theory]
    [InlineData("Attempts", "0", "Subscriptions:mailer:Attempts is 0")]
    [InlineData("Attempts", "many", "Subscriptions:mailer: Failed to convert configuration value 'many' at 'Attempts'")]
    [InlineData("Atempts", "1", "Subscriptions:mailer: 'ErrorOnUnknownConfiguration' was set")]
    public void Value_of_a_subscription_that_it_cannot_take_is_named(string option, string value, string told) =>
        Should.Throw<InvalidInputException>(() =>
            SubscriptionOverrides.Over(Mailer(), Bind(new() { [$"Subscriptions:mailer:{option}"] = value }))).Message.ShouldStartWith(told);

    // "StartTimeout": "300" is 300 days: the start failed with an error of .NET's timers, that of a command with 500.
    [Theory]
    [InlineData("StartTimeout", "300", "StartTimeout is 300.00:00:00; it must be at most a day. A number alone is one of days")]
    [InlineData("CommandTimeout", "60", "CommandTimeout is 60.00:00:00; it must be at most a day.")]
    [InlineData("Drain", "5", "Drain is 5.00:00:00; it must be at most a day.")]
    [InlineData("SessionTimeout", "20", "SessionTimeout is 20.00:00:00; it must be at most a day.")]
    [InlineData("SessionTimeout", "02:00:00", "SessionTimeout is 7200 s; it must be from 1 to 3,600")]
    [InlineData("Processing:TransactionTimeout", "15", "Processing:TransactionTimeout is 15.00:00:00; it must be at most a day.")]
    [InlineData("ReadModels:CheckInterval", "5", "ReadModels:CheckInterval is 5.00:00:00; it must be at most a day.")]
    public void Time_that_is_longer_than_any_that_makes_sense_is_refused(string key, string value, string told) =>
        OptionRules.Failures(Bind(new() { [key] = value })).ShouldHaveSingleItem().Message.ShouldStartWith(told);

    // A misspelt number of partitions was passed over, and the topics were made with four, for good.
    [Theory]
    [InlineData("Partitons", "Bank:Partitons is not an option; there are AcceptDataLoss, Advertise, ")]
    [InlineData("Processing:MaxBatchCommand", "Bank:Processing:MaxBatchCommand is not an option; there are BarrierBytes, ")]
    [InlineData("StreamSnapshots:tall", "Bank:StreamSnapshots:tall names no aggregate type; there are tally.")]
    public void Key_that_no_option_has_is_named(string key, string told) =>
        Should.Throw<OptionsValidationException>(() => OptionsOf(new ConfigurationBuilder().AddInMemoryCollection(
            [KeyValuePair.Create($"Bank:{key}", (string?)"12")]))).Failures.First().ShouldStartWith(told);

    // It was taken as left out: a secured cluster was spoken to in plain text, and a drain was none.
    [Theory]
    [InlineData("\"KafkaSettings\": \"security.protocol=SSL\"", "Bank:KafkaSettings is 'security.protocol=SSL'; it is a section")]
    [InlineData("\"Partitions\": [4]", "Bank:Partitions is a section or a list; it takes one value.")]
    [InlineData("\"Partitions\": { \"a\": 1 }", "Bank:Partitions is a section or a list; it takes one value.")]
    [InlineData("\"Kafka\": [\"a:1\", \"b:2\"]", "Bank:Kafka is a section or a list; it takes one value.")]
    [InlineData("\"Processing\": 5", "Bank:Processing is '5'; it is a section, with options of its own.")]
    [InlineData("\"Drain\": null", "Bank:Drain is null; leave it out to have its default.")]
    [InlineData("\"Processing\": { \"MaxBatchCommands\": [1] }", "Bank:Processing:MaxBatchCommands is a section or a list")]
    public void Value_of_another_shape_than_its_option_is_named(string json, string told)
    {
        using var stream = new MemoryStream(System.Text.Encoding.UTF8.GetBytes($"{{ \"Bank\": {{ {json} }} }}"));
        Should.Throw<OptionsValidationException>(() => OptionsOf(new ConfigurationBuilder().AddJsonStream(stream))).Failures.First()
            .ShouldStartWith(told);
    }

    // They ended the start with a NullReferenceException.
    [Fact]
    public void Null_in_JSON_says_nothing()
    {
        using var json = new MemoryStream("""
            { "Bank": { "Kafka": "localhost:1", "SchemaRegistry": "http://localhost:1", "MongoDB": null, "Processing": null,
              "StateStores": null, "ReadModels": null, "KafkaSettings": { "client.id": null }, "Subscriptions": { "mailer": null } } }
            """u8.ToArray());
        KafkaEventSourcingOptions options = OptionsOf(new ConfigurationBuilder().AddJsonStream(json));
        options.Processing.MaxBatchCommands.ShouldBe(new ProcessingOptions().MaxBatchCommands);
        options.Addresses.KafkaSettings.ShouldBeEmpty();
        SubscriptionOverrides.Over(Mailer(), options).Options.ShouldBe(Mailer().Options);
    }

    private static KafkaEventSourcingOptions OptionsOf(IConfigurationBuilder configuration)
    {
        SubscriptionDefinition mailer = Mailer();
        var services = new ServiceCollection();
        services.AddKafkaEventSourcing("bank", configuration.Build().GetSection("Bank")).AddAggregate(
            (AggregateDefinition<object>)mailer.Aggregates[0]).AddSubscription(mailer);
        using ServiceProvider provider = services.BuildServiceProvider();
        return provider.GetRequiredService<IOptions<KafkaEventSourcingOptions>>().Value;
    }

    private static SubscriptionDefinition Mailer() => Subscription.Named("mailer")
        .From(AggregateDefinition.Define("tally", new object()).Decides<string>((_, _) => Decision.Accept(new Tallied())).Evolves<Tallied>(
            (state, _) => state).Build())
        .On<Tallied>((_, _, _) => Task.CompletedTask)
        .Build();

    private static KafkaEventSourcingOptions Bind(Dictionary<string, string> values)
    {
        var options = new KafkaEventSourcingOptions();
        new ConfigurationBuilder().AddInMemoryCollection(values.Select(v => KeyValuePair.Create(v.Key, (string?)v.Value))).Build()
            .Bind(options);
        return options;
    }

    private static void ShouldHaveValues(object part)
    {
        foreach (PropertyInfo property in part.GetType().GetProperties().Where(p =>
            p.CanWrite && !OfTheNode[part.GetType()].Contains(p.Name)))
            string.Format(CultureInfo.InvariantCulture, "{0}", property.GetValue(part)).ShouldBe(ValueOf(property),
                $"{part.GetType().Name}.{property.Name}");
    }

    private static IEnumerable<KeyValuePair<string, string>> Values(string section, Type type) =>
        type.GetProperties().Where(p => p.CanWrite).Select(p => KeyValuePair.Create($"{section}:{p.Name}", ValueOf(p)));

    // One that no default is, by the name.
    private static string ValueOf(PropertyInfo property) =>
        (Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType) == typeof(TimeSpan)
            ? $"00:00:{10 + property.Name.Length}"
        : property.PropertyType == typeof(string) ? $"value-of-{property.Name}"
        : property.PropertyType == typeof(bool) ? bool.FalseString
        : property.PropertyType.IsEnum ? Enum.GetNames(property.PropertyType)[^1]
        : (3_000_000 + property.Name.Length).ToString(CultureInfo.InvariantCulture);

    private sealed record Tallied;
}
