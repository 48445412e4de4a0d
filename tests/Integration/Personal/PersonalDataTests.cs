using System.Text;
using Clinic;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Verification;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Integration.Tests.Personal;

/// <summary>Fields that are tagged as personal, and people who are erased.</summary>
public sealed class PersonalDataTests(BankFixture bank)
{
    private const string Name = "Zdenka Qwzlxjv";
    private const string Remark = "Ptrkwqz remark of Dr. Xvbnm";
    private const string Ward = "Wjkqzx-ward";
    private const string Old = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    private const string New = "new:HxwdGhsYGRYXFBUSExAREg4PDA0KCwgJBgcEBQIDAAE=";
    private static readonly byte[] Photo = Encoding.UTF8.GetBytes("Photo-Qqqwzx-bytes");

    private readonly string _name = Testing.TestServers.UniqueName("clinic");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static Admit Admission => new() { Name = Name, Photo = Photo, Ward = Ward, Doctor = "dr-1", Remark = Remark };

    private string Data => Path.Combine(bank.Servers.Folder, _name);

    [Fact]
    public async Task Value_of_a_tagged_field_is_read_back_everywhere_and_is_in_no_topic_and_no_store()
    {
        CommandEnvelope direct = ClinicApplication.Of("p1", Admission), byTopic = ClinicApplication.Of("p2", Admission);
        await using (EventSourcedNode node = await Start(Old))
        {
            (await node.SendAsync(direct, Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
            (await node.Aggregates[0].CommandTopic.SendAsync(byTopic, Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
            // sealed alike each time: else a command that is sent again would be another one
            (await node.Aggregates[0].CommandTopic.SendAsync(direct, Cancellation)).IsDuplicate.ShouldBeTrue();
            (await node.SendAsync(byTopic, Cancellation)).IsDuplicate.ShouldBeTrue();
            await Accepted(node, ClinicApplication.Of("p1", new Move { Ward = Ward + "2" }));
            foreach (string id in (string[])["p1", "p2"])
                ShouldBeWhole(await State(node, id));
        }

        ShouldHideValues(ClinicApplication.TopicBytes(bank.Servers.Addresses.KafkaConnection, _name), hasWard: true);
        ShouldHideValues(ClinicApplication.FileBytes(Data), hasWard: true);
        await using (EventSourcedNode kept = await Start(Old))
            ShouldBeWhole(await State(kept, "p1"));
        Directory.Delete(Data, recursive: true);
        await using EventSourcedNode folded = await Start(Old);
        ShouldBeWhole(await State(folded, "p1"));
        (await new Verifier(folded, folded.Aggregates[0]).RunAsync(Cancellation)).Differences.ShouldBeEmpty();
    }

    [Fact]
    public async Task Erased_subject_is_gone_on_all_nodes_and_after_restores_while_versions_and_others_stay()
    {
        await using (EventSourcedNode node = await Start(Old))
        await using (EventSourcedNode other = await Start(Old, "-other"))
        {
            await Accepted(node, ClinicApplication.Of("p1", Admission));
            await Accepted(node, ClinicApplication.Of("p2", Admission));
            await Accepted(other, ClinicApplication.Of("p1", new Move { Ward = Ward + "2" }));
            ErasureResult erased = await Erase("p1");
            (erased.WasKnown, erased.WasErased, erased.DestroyedKeys).ShouldBe((true, false, 1));
            erased.Confirmed.Count.ShouldBe(2);
            erased.Silent.ShouldBeEmpty();
            ShouldBeErased(await State("p1", node, other), version: 2);
            ShouldBeWhole(await State("p2", node, other));

            InvalidInputException refused = await Should.ThrowAsync<InvalidInputException>(
                node.SendAsync(ClinicApplication.Of("p1", Admission), Cancellation));
            refused.Message.ShouldContain("Admit.Name: 'p1' was erased");
            await Accepted(node, ClinicApplication.Of("p1", new Move { Ward = Ward + "2" })); // life goes on, by the marker
            ShouldBeErased(await State("p1", node, other), version: 3);
            (await Erase("p1")).WasErased.ShouldBeTrue();
        }

        await using (EventSourcedNode kept = await Start(Old))
            ShouldBeErased(await State(kept, "p1"), version: 3);
        Directory.Delete(Data, recursive: true);
        await using EventSourcedNode folded = await Start(Old);
        ShouldBeErased(await State(folded, "p1"), version: 3);
        ShouldBeWhole(await State(folded, "p2"));
        (await new Verifier(folded, folded.Aggregates[0]).RunAsync(Cancellation)).Differences.ShouldBeEmpty();
        (await Erase("dr-1")).DestroyedKeys.ShouldBe(1);
        Patient second = (Patient)(await State(folded, "p2")).State;
        (second.Name, second.Remark).ShouldBe((Name, "[erased]"));
    }

    [Fact]
    public async Task Master_key_is_rotated_without_rewriting_what_is_sealed_and_a_wrong_one_is_an_error_of_the_start()
    {
        await using (EventSourcedNode node = await Start(Old))
            await Accepted(node, ClinicApplication.Of("p1", Admission));
        (await Should.ThrowAsync<InvalidInputException>(Start(null))).Message.ShouldStartWith("PersonalData names no master key");
        (await Should.ThrowAsync<InvalidInputException>(Start(New))).Message.ShouldContain("The master key 'old' is missing");
        (await Should.ThrowAsync<InvalidInputException>(Start(New.Replace("new:", "old:", StringComparison.Ordinal))))
            .Message.ShouldContain("is not the one that has wrapped");
        using (SubjectErasure keys = await Open())
        {
            (await keys.RewrapAsync(MasterKeyRing.Parse($"{New}\n{Old}", "test"), Cancellation)).ShouldBe(2);
            (await keys.RewrapAsync(MasterKeyRing.Parse(New, "test"), Cancellation)).ShouldBe(0);
        }

        await using EventSourcedNode rotated = await Start(New);
        ShouldBeWhole(await State(rotated, "p1"));
    }

    private static void ShouldHideValues(byte[] bytes, bool hasWard)
    {
        ClinicApplication.Has(bytes, Ward).ShouldBe(hasWard); // the search finds what is not tagged
        foreach (string value in (string[])[Name, Remark, Encoding.UTF8.GetString(Photo)])
            ClinicApplication.Has(bytes, value).ShouldBeFalse(value);
    }

    private static void ShouldBeWhole(AggregateView view)
    {
        var patient = (Patient)view.State;
        (patient.Name, patient.Remark, Encoding.UTF8.GetString(patient.Photo!)).ShouldBe((Name, Remark, Encoding.UTF8.GetString(Photo)));
    }

    private static void ShouldBeErased(AggregateView view, long version)
    {
        var patient = (Patient)view.State;
        (patient.Name, patient.Remark, Encoding.UTF8.GetString(patient.Photo!)).ShouldBe(("[erased]", Remark, "[erased]"));
        (view.Version, patient.Moves, patient.Ward).ShouldBe((version, version - 1, Ward + "2"));
    }

    private static async Task<AggregateView> State(EventSourcedNode node, string id) =>
        (await node.Aggregates[0].Reads.ReadAsync(AggregateId.Parse(id), Cancellation))!;

    private static Task<AggregateView> State(string id, params EventSourcedNode[] nodes) => State(nodes.Single(n =>
        n.Aggregates[0].Processor.CanRead(n.Aggregates[0].Processor.PartitionOf(AggregateId.Parse(id)), ReadConsistency.Strong)), id);

    private static async Task Accepted(EventSourcedNode node, CommandEnvelope command) =>
        (await node.SendAsync(command, Cancellation)).ShouldBeOfType<CommandResult.Accepted>();

    private async Task<SubjectErasure> Open()
    {
        using var registry = new CachedSchemaRegistryClient(bank.Servers.Addresses.RegistryConfig());
        return await SubjectErasure.OpenAsync(bank.Servers.Addresses.KafkaConnection, registry, _name, TimeProvider.System, Cancellation);
    }

    private async Task<ErasureResult> Erase(string subject)
    {
        using SubjectErasure keys = await Open();
        return await keys.EraseAsync(subject, TimeSpan.FromMinutes(1), Cancellation);
    }

    private Task<EventSourcedNode> Start(string? masterKey, string suffix = "")
    {
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = Data + suffix,
            Partitions = 2,
            BarrierEvents = 1,
            SessionTimeout = TimeSpan.FromSeconds(6),
            PersonalData = new PersonalDataOptions { MasterKey = masterKey },
        };
        return EventSourcedNode.StartAsync(ClinicApplication.Named(_name), bank.Servers.Addresses, options, NullLoggerFactory.Instance,
            TimeProvider.System, Cancellation);
    }
}
