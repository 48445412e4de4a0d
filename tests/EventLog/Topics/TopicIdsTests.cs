using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EventLog.Tests;

public sealed class TopicIdsTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private TestServers _servers = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _servers = await ServersOrSkip.Start(Cancellation);

    public ValueTask DisposeAsync() => _servers.DisposeAsync();

    [Fact]
    public async Task Topic_that_is_made_again_under_its_name_has_another_id()
    {
        using IAdminClient admin = new AdminClientBuilder(_servers.Addresses.KafkaConnection.Admin()).Build();
        string topic = TestServers.UniqueName("again");
        string other = TestServers.UniqueName("other");
        await Create(topic, other);
        IReadOnlyDictionary<string, TopicId> before = await TopicIds.OfAsync(admin, [topic, other], Patience, Cancellation);
        before.Keys.ShouldBe([topic, other], ignoreOrder: true);
        before[topic].IsUnknown.ShouldBeFalse();
        before[topic].Differs(before[other]).ShouldBeTrue();

        await admin.DeleteTopicsAsync([topic]);
        while (!await TryCreate(topic))
            Cancellation.ThrowIfCancellationRequested();
        IReadOnlyDictionary<string, TopicId> after = await TopicIds.OfAsync(admin, [topic, other], Patience, Cancellation);
        after[topic].Differs(before[topic]).ShouldBeTrue();
        after[other].ShouldBe(before[other]);

        Task Create(params string[] names) =>
            admin.CreateTopicsAsync(names.Select(n => new Confluent.Kafka.Admin.TopicSpecification { Name = n, NumPartitions = 1 }));

        // A deletion may be answered before the name is free.
        async Task<bool> TryCreate(string name)
        {
            try
            {
                await Create(name);
                return true;
            }
            catch (CreateTopicsException present) when (present.Results[0].Error.Code == ErrorCode.TopicAlreadyExists)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task Topic_that_is_not_there_is_not_in_the_answer()
    {
        using IAdminClient admin = new AdminClientBuilder(_servers.Addresses.KafkaConnection.Admin()).Build();
        string topic = TestServers.UniqueName("present");
        await admin.CreateTopicsAsync([new Confluent.Kafka.Admin.TopicSpecification { Name = topic, NumPartitions = 1 }]);
        await TopicIds.OfAsync(admin, [topic], Patience, Cancellation); // every broker that is asked knows it from here on
        (await TopicIds.OfAsync(admin, [topic, TestServers.UniqueName("missing")], TimeSpan.Zero, Cancellation)).Keys.ShouldBe([topic]);
    }

    [Fact]
    public void Id_is_the_text_that_Kafkas_tools_show()
    {
        // Kafka's Uuid(1, 2).toString(), and a random one of its storage tool.
        TopicId.From(1, 2).ToString().ShouldBe("AAAAAAAAAAEAAAAAAAAAAg");
        TopicId.TryParse("J8qXRwI-Qyi2G0guFTiuYw", out TopicId id).ShouldBeTrue();
        id.ToString().ShouldBe("J8qXRwI-Qyi2G0guFTiuYw");
    }

    [Theory]
    [InlineData("AAAAAAAAAAEAAAAAAAAA")]
    [InlineData("AAAAAAAAAAEAAAAAAAAAAgAA")]
    [InlineData("AAAAAAAAAAE+AAAAAAAAAg")]
    [InlineData(" ")]
    public void TryParse_of_what_is_no_id_is_false(string text) => TopicId.TryParse(text, out _).ShouldBeFalse();

    [Fact]
    public void Unknown_id_differs_from_none()
    {
        TopicId.TryParse("", out TopicId unknown).ShouldBeTrue();
        unknown.IsUnknown.ShouldBeTrue();
        unknown.ToString().ShouldBeEmpty();
        unknown.Differs(TopicId.From(1, 2)).ShouldBeFalse();
        TopicId.From(1, 2).Differs(unknown).ShouldBeFalse();
        TopicId.From(1, 2).Differs(TopicId.From(1, 3)).ShouldBeTrue();
    }
}
