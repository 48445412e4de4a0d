using System.Net;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>DescribeClientQuotas, AlterClientQuotas (KIP-546).</summary>
internal sealed class QuotaRequests(ClientQuotas quotas)
{
    private const string User = "user";
    private const string ClientId = "client-id";
    private const string Ip = "ip";

    // Rates of bytes and connections are whole numbers, shares of time and of mutations are not.
    private static readonly Dictionary<string, bool> ClientKeys = new() { ["producer_byte_rate"] = true, ["consumer_byte_rate"] = true, ["request_percentage"] = false, ["controller_mutation_rate"] = false };
    private static readonly Dictionary<string, bool> IpKeys = new() { ["connection_creation_rate"] = true };

    private enum MatchType : sbyte
    {
        Exact = 0,
        Default = 1,
        Any = 2,
    }

    public DescribeClientQuotasResponse Describe(DescribeClientQuotasRequest request)
    {
        if (CheckFilter(request) is { } wrong)
            return new DescribeClientQuotasResponse { ErrorCode = (short)wrong.Error, ErrorMessage = wrong.Message, Entries = null };
        bool Matches(QuotaEntity entity) =>
            (!request.Strict || entity.Parts.Count == request.Components.Count)
            && request.Components.TrueForAll(c => entity.Parts.TryGetValue(c.EntityType, out string? name) && ((MatchType)c.MatchType == MatchType.Any || name == c.Match));
        return new DescribeClientQuotasResponse
        {
            Entries = [.. quotas.All.Where(q => Matches(q.Entity)).Select(q => new DescribeClientQuotasResponse.Entry
            {
                Entity = [.. q.Entity.Parts.Select(p => new DescribeClientQuotasResponse.Entry.EntityPart { EntityType = p.Key, EntityName = p.Value })],
                Values = [.. q.Values.Select(v => new DescribeClientQuotasResponse.Entry.Quota { Key = v.Key, Value = v.Value })],
            })],
        };
    }

    public AlterClientQuotasResponse Alter(AlterClientQuotasRequest request) => new()
    {
        Entries = request.Entries.ConvertAll(entry =>
        {
            string? wrong = Check(entry);
            if (wrong is null && !request.ValidateOnly)
                quotas.Change(new QuotaEntity(entry.Entity.ToDictionary(e => e.EntityType, e => e.EntityName)), entry.Ops.ToDictionary(o => o.Key, o => o.Remove ? (double?)null : o.Value));
            return new AlterClientQuotasResponse.Entry
            {
                ErrorCode = (short)(wrong is null ? ErrorCode.None : ErrorCode.InvalidRequest),
                ErrorMessage = wrong,
                Entity = entry.Entity.ConvertAll(e => new AlterClientQuotasResponse.Entry.EntityPart { EntityType = e.EntityType, EntityName = e.EntityName }),
            };
        }),
    };

    private static (ErrorCode Error, string Message)? CheckFilter(DescribeClientQuotasRequest request)
    {
        var seen = new HashSet<string>();
        foreach (DescribeClientQuotasRequest.Component component in request.Components)
        {
            if (component.EntityType.Length == 0)
                return (ErrorCode.InvalidRequest, "Invalid empty entity type.");
            if (!seen.Add(component.EntityType))
                return (ErrorCode.InvalidRequest, $"Entity type {component.EntityType} cannot appear more than once in the filter.");
            if (component.EntityType is not (User or ClientId or Ip))
                return (ErrorCode.UnsupportedVersion, $"Unsupported entity type {component.EntityType}");
            var match = (MatchType)component.MatchType;
            if (match is < MatchType.Exact or > MatchType.Any)
                return (ErrorCode.InvalidRequest, $"Unknown match type {component.MatchType}");
            if (match == MatchType.Exact && component.Match is null)
                return (ErrorCode.InvalidRequest, "Request specified MATCH_TYPE_EXACT, but set match string to null.");
            if (match != MatchType.Exact && component.Match is not null)
                return (ErrorCode.InvalidRequest, $"Request specified {(match == MatchType.Default ? "MATCH_TYPE_DEFAULT" : "MATCH_TYPE_SPECIFIED")}, but also specified a match string.");
        }

        return seen.Contains(Ip) && seen.Count > 1 ? (ErrorCode.InvalidRequest, "Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.") : null;
    }

    private static string? Check(AlterClientQuotasRequest.Entry entry)
    {
        if (entry.Entity.Count == 0)
            return "Invalid empty client quota entity";
        var types = new HashSet<string>();
        foreach (AlterClientQuotasRequest.Entry.EntityPart part in entry.Entity)
        {
            if (!types.Add(part.EntityType))
                return $"Invalid client quota entity, duplicate entity entry {part.EntityType}";
            if (part.EntityType is not (User or ClientId or Ip))
                return $"Unhandled client quota entity type: {part.EntityType}";
            if (part.EntityName is { Length: 0 })
                return $"Empty {part.EntityType} not supported";
        }

        bool isIp = types.Contains(Ip);
        if (isIp && types.Count > 1)
            return "Invalid quota entity combination, IP entity should not be combined with User or ClientId";
        if (isIp && entry.Entity[0].EntityName is { } address && !IPAddress.TryParse(address, out _))
            return $"{address} is not a valid IP or resolvable host.";
        return CheckValues(entry.Ops, isIp ? IpKeys : ClientKeys);
    }

    private static string? CheckValues(List<AlterClientQuotasRequest.Entry.Operation> operations, Dictionary<string, bool> keys)
    {
        var seen = new HashSet<string>();
        foreach (AlterClientQuotasRequest.Entry.Operation operation in operations)
        {
            if (!seen.Add(operation.Key))
                return $"Duplicate quota key {operation.Key}";
            if (operation.Remove)
                continue;
            if (!keys.TryGetValue(operation.Key, out bool isWhole))
                return $"Invalid configuration key {operation.Key}";
            if (!(operation.Value > 0))
                return $"Quota {operation.Key} must be greater than 0";
            if (isWhole && Math.Abs(operation.Value % 1) > 1e-6)
                return $"{operation.Key} cannot be a fractional value.";
        }

        return null;
    }
}
