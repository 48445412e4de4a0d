using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>Client quotas, which the embedded broker does not enforce.</summary>
public sealed class QuotaProtocolTests : RawBrokerTests
{
    // Quotas were kept and told, and throttled nobody: who set one believed that it held.
    [Fact]
    public void Quotas_that_nobody_enforces_are_refused_and_none_are_described()
    {
        Quota([("user", "u")], ("producer_byte_rate", 1000.5)).ShouldBe(
            (ErrorCode.InvalidRequest, "producer_byte_rate cannot be a fractional value."));
        Quota([("user", "u")], ("speed", 1)).ShouldBe((ErrorCode.InvalidRequest, "Invalid configuration key speed"));
        Quota([("ip", "127.0.0.1"), ("user", "u")], ("connection_creation_rate", 1)).Error.ShouldBe(ErrorCode.InvalidRequest);
        Quota([("user", "u")], ("producer_byte_rate", 1000), ("request_percentage", 12.5))
            .ShouldBe((ErrorCode.UnsupportedVersion,
                "Quota producer_byte_rate is not set: the embedded Kafka throttles no client. Use Apache Kafka where quotas must hold."));
        Quota([("ip", "127.0.0.1")], ("connection_creation_rate", 1)).Error.ShouldBe(ErrorCode.UnsupportedVersion);
        Quota([("client-id", "c"), ("user", null)], ("consumer_byte_rate", 3000)).Error.ShouldBe(ErrorCode.UnsupportedVersion);
        Client.Ask<AlterClientQuotasRequest, AlterClientQuotasResponse>(
            new AlterClientQuotasRequest
            {
                Entries = [new AlterClientQuotasRequest.Entry
                {
                    Entity = [new() { EntityType = "user", EntityName = null }],
                    Ops = [new() { Key = "consumer_byte_rate", Remove = true }],
                }],
            }, 1, AlterClientQuotasResponse.Read).Entries[0].ErrorCode.ShouldBe((short)0);
        Find(strict: false, ("user", 2, null)).ShouldBeEmpty();
        Find(strict: true, ("user", 0, "u")).ShouldBeEmpty();
    }

    private (ErrorCode Error, string? Message) Quota((string Type, string? Name)[] entity, params (string Key, double Value)[] values)
    {
        AlterClientQuotasResponse.Entry entry = Client.Ask<AlterClientQuotasRequest, AlterClientQuotasResponse>(
            new AlterClientQuotasRequest
            {
                Entries =
                [
                    new AlterClientQuotasRequest.Entry
                    {
                        Entity = [.. entity.Select(e =>
                            new AlterClientQuotasRequest.Entry.EntityPart { EntityType = e.Type, EntityName = e.Name })],
                        Ops = [.. values.Select(v => new AlterClientQuotasRequest.Entry.Operation { Key = v.Key, Value = v.Value })],
                    },
                ],
            }, 1, AlterClientQuotasResponse.Read).Entries[0];
        return ((ErrorCode)entry.ErrorCode, entry.ErrorMessage);
    }

    private List<string> Find(bool strict, params (string Type, sbyte MatchType, string? Match)[] components) =>
        Client.Ask<DescribeClientQuotasRequest, DescribeClientQuotasResponse>(
        new DescribeClientQuotasRequest
        {
            Strict = strict,
            Components = [.. components.Select(c =>
                new DescribeClientQuotasRequest.Component { EntityType = c.Type, MatchType = c.MatchType, Match = c.Match })],
        }, 1, DescribeClientQuotasResponse.Read)
        .Entries!.ConvertAll(e => string.Join(',', e.Values.Select(v => FormattableString.Invariant($"{v.Key}={v.Value}"))));
}
