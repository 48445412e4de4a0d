using System.Threading.Channels;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Verification;
using KafkaEventSourcing.Upgrade.After;
using KafkaEventSourcing.Upgrade.Before;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>
/// A log that earlier code wrote, and later code whose events are others: upcast along a chain, to two, to none, behind an alias, or
/// withdrawn.
/// </summary>
public sealed class UpcastTests(BankFixture bank)
{
    private static readonly string[] ToldFirst = ["a 1.0 Posted", "a 2.0 Left", "a 2.1 Arrived", "a 5.0 Measured", "a 6.0 Damaged"];

    private readonly string _name = Testing.TestServers.UniqueName("parcels");
    private readonly Channel<string> _told = Channel.CreateUnbounded<string>();
    private readonly List<string> _toldSoFar = [];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Later_code_reads_what_earlier_code_wrote_alike_in_every_place_with_kept_state_and_without()
    {
        string data = Path.Combine(bank.Servers.Folder, _name);
        await using (EventSourcedNode before = await Start(ParcelBefore.Application(_name), data))
        {
            await Accepted(before, ParcelBefore.Handle("a", "post", 5), ParcelBefore.Handle("a", "move", text: "Prague"),
                ParcelBefore.Handle("a", "rename", text: "gift"), ParcelBefore.Handle("a", "check"), ParcelBefore.Handle("a", "weigh", 300),
                ParcelBefore.Handle("a", "check", 1), ParcelBefore.Handle("a", "rename", text: "present"),
                ParcelBefore.Handle("b", "rename", text: "nameless"));
            await before.WaitForReadModelsAsync(Cancellation);
        }

        List<string> told = [.. ToldFirst];
        for (int start = 0; start < 2; start++)
        {
            using var log = new NodeLog();
            await using EventSourcedNode after = await Start(ParcelAfter.Application(_name, Tell), data, log);
            log.Lines("LogWithdrawn").ShouldBe([$"The parcel ignores types of events that {_name}.parcel.events may have: "
                + "Upgrade.First.Renamed. They are passed over"]);
            AggregateView a = await View(after, "a");
            (a.Version, ParcelAfter.Parts(a.State)).ShouldBe((7 + (2 * start), (500, start == 0 ? "Prague" : "Brno0", 300, 11 + start)));
            AggregateView b = await View(after, "b"); // nothing of it is read, and it has its version
            (b.Version, ParcelAfter.Parts(b.State)).ShouldBe((1, (0, "", 0, 0)));
            (await after.SendAsync(ParcelAfter.Handle("a", "move", text: "Prague"), Cancellation)).IsDuplicate.ShouldBeTrue();
            (await after.SendAsync(ParcelAfter.Handle("b", "rename", text: "nameless"), Cancellation)).IsDuplicate.ShouldBeTrue();

            CommandResult.Faulted faulted = (await after.SendAsync(ParcelAfter.Handle("a", "as before", start), Cancellation))
                .ShouldBeOfType<CommandResult.Faulted>();
            faulted.Message.ShouldContain("only reads Upgrade.First.Moved, and upcasts it to other events");
            faulted.Version.ShouldBe(7 + (2 * start));
            await Accepted(after, ParcelAfter.Handle("a", "move", text: $"Brno{start}") with
            {
                ExpectedVersion = ExpectedVersion.Exactly(7 + (2 * start)),
            });
            told.AddRange([$"a {8 + (2 * start)}.0 Left", $"a {9 + (2 * start)}.0 Arrived"]);

            await after.WaitForReadModelsAsync(Cancellation);
            BsonDocument parcel = await Document(after, "parcels", "a");
            (parcel["cents"].ToInt64(), parcel["place"].AsString).ShouldBe((500, $"Brno{start}"));
            (await Document(after, "journal", "a"))["lines"].AsBsonArray.Select(l => l.AsString).ShouldBe(
                ["1.0 500 EUR", "2.0 left", "2.1 Prague", "5.0 300 g", "6.0 damaged",
                    .. Enumerable.Range(0, start + 1).SelectMany(s => new[] { $"{8 + (2 * s)}.0 left", $"{9 + (2 * s)}.0 Brno{s}" })]);
            (await Told(told.Count)).ShouldBe(told);
            (await after.Aggregates[0].History.ReadAggregateAsync(AggregateId.Parse("a"), Cancellation)
                .Select(ParcelAfter.Describe).ToListAsync(Cancellation)).ShouldBe(told);
            VerificationReport report = await new Verifier(after, after.Aggregates[0]).RunAsync(Cancellation);
            report.Differences.ShouldBeEmpty();
            (report.Events, report.Aggregates).ShouldBe((8 + (2 * (start + 1)), 2));
            await after.DisposeAsync();
            Directory.Delete(data, recursive: true); // the next one folds all events
        }
    }

    [Fact]
    public async Task What_was_parked_as_earlier_code_did_not_have_a_type_is_folded_by_code_that_upcasts_or_ignores_it()
    {
        string data = Path.Combine(bank.Servers.Folder, _name);
        await using (EventSourcedNode before = await Start(ParcelBefore.Application(_name), data))
            await Accepted(before, ParcelBefore.Handle("a", "move", text: "Prague"), ParcelBefore.Handle("b", "rename", text: "x"),
                ParcelBefore.Handle("b", "post", 5));
        Directory.Delete(data, recursive: true);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, _name, "parcel");
        await using (EventSourcedNode without = await Start(ParcelAfter.Without(_name), data, ignoreUnknown: true))
            desk.Letters().Select(l => (l.AggregateId.Value, l.Cause)).Order().ShouldBe([("a", "unknown-event"), ("b", "unknown-event")]);

        await using EventSourcedNode after = await Start(ParcelAfter.Application(_name, Tell), data);
        desk.Letters().ShouldBeEmpty();
        (await View(after, "a")).Version.ShouldBe(1);
        AggregateView b = await View(after, "b");
        (b.Version, ParcelAfter.Parts(b.State).Cents).ShouldBe((2, 500));
        await after.WaitForReadModelsAsync(Cancellation);
        (await new Verifier(after, after.Aggregates[0]).RunAsync(Cancellation)).Differences.ShouldBeEmpty();
    }

    // Of a type that the code has, no schema of before was looked at: the node served, and parked each aggregate that had such an event.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Start_of_code_that_cannot_read_an_old_schema_of_a_type_that_it_has_is_refused_with_both_and_the_reason(bool evolved)
    {
        string data = Path.Combine(bank.Servers.Folder, _name);
        await using (EventSourcedNode before = await Start(ParcelBefore.Application(_name), data))
            await Accepted(before, ParcelBefore.Handle("a", "post", 5), ParcelBefore.Handle("a", "rename", text: "gift"),
                ParcelBefore.Handle("b", "rename", text: "x"));
        string subject = $"{_name}.parcel.events-Upgrade.First.Renamed";
        using var registry = new CachedSchemaRegistryClient(bank.Servers.Addresses.RegistryConfig());
        int id = (await registry.GetLatestSchemaAsync(subject)).Id;
        await registry.UpdateCompatibilityAsync(Compatibility.None, subject); // else an evolved type is refused by the registry

        LogRefusedException refused = await Should.ThrowAsync<LogRefusedException>(Start(ParcelAfter.Demanding(_name, evolved), data));
        refused.Message.ShouldContain("Upgrade.First.Renamed, 2 of them, the first at ");
        refused.Message.ShouldContain($"The schema {id} cannot be read as Upgrade.First.Renamed: ");
        refused.Message.ShouldContain("the field By is not in the writer's schema and has no default");
        using var log = new NodeLog();
        await using EventSourcedNode told = await Start(ParcelAfter.Demanding(_name, evolved), data, log, ignoreUnknown: true);
        log.Lines("LogIgnored").Single().ShouldContain($"The schema {id} cannot be read as Upgrade.First.Renamed");
    }

    // What is ignored by the name that a type of today has as an alias was passed over in place of read as that type.
    [Fact]
    public void Application_that_ignores_a_name_that_one_of_its_events_had_is_refused()
    {
        Should.Throw<InvalidOperationException>(() => ParcelAfter.Ignoring("Upgrade.First.Weighed")).Message
            .ShouldBe("The aggregate 'parcel' ignores Upgrade.First.Weighed, and reads events of that name as Upgrade.Weighed, which has "
                + "it as an alias: take one of the two away.");
        ParcelAfter.Ignoring("Upgrade.First.Renamed").Aggregates[0].IgnoredTypes.ShouldBe(["Upgrade.First.Renamed"]);
    }

    [Fact]
    public void Application_with_a_read_model_of_what_is_upcast_is_refused() =>
        Should.Throw<InvalidOperationException>(ParcelAfter.ReadingOld).Message
            .ShouldBe("The projection 'parcels' reads Moved, which 'parcel' upcasts: no reader sees it. Read what it is upcast to.");

    private static async Task Accepted(EventSourcedNode node, params CommandEnvelope[] commands)
    {
        foreach (CommandEnvelope command in commands)
            (await node.SendAsync(command, Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
    }

    private static async Task<AggregateView> View(EventSourcedNode node, string parcel) =>
        (await node.Aggregates[0].Processor.ReadAsync(AggregateId.Parse(parcel), Cancellation))!;

    private static Task<BsonDocument> Document(EventSourcedNode node, string readModel, string parcel) =>
        node.ReadModels.GetCollection<BsonDocument>(readModel).Find(new BsonDocument("_id", parcel)).SingleAsync(Cancellation);

    private void Tell(string told) => _told.Writer.TryWrite(told);

    // All so far, of every start: what is handled comes once.
    private async Task<IReadOnlyList<string>> Told(int count)
    {
        while (_toldSoFar.Count < count)
            _toldSoFar.Add(await _told.Reader.ReadAsync(Cancellation));
        return _toldSoFar;
    }

    private Task<EventSourcedNode> Start(ApplicationDefinition application, string data, ILoggerFactory? log = null,
        bool ignoreUnknown = false)
    {
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = data,
            Partitions = 2,
            BarrierEvents = 1_000,
            IgnoreUnknownEvents = ignoreUnknown,
            SessionTimeout = TimeSpan.FromSeconds(6),
        };
        return EventSourcedNode.StartAsync(application, bank.Servers.Addresses, options, log ?? NullLoggerFactory.Instance,
            TimeProvider.System, Cancellation);
    }
}
