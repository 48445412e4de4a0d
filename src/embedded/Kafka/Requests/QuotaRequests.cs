using System.Net;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>
/// DescribeClientQuotas, AlterClientQuotas (KIP-546). This broker throttles nobody: a request that Kafka would refuse is refused as there,
/// one that sets a quota is refused as unsupported, and there are none to describe.
/// </summary>
internal static class QuotaRequests
{
    private const string User = "user";
    private const string ClientId = "client-id";
    private const string Ip = "ip";

    // Rates of bytes and connections are whole numbers, shares of time and of mutations are not.
    private static readonly Dictionary<string, bool> ClientKeys = new()
    {
        ["producer_byte_rate"] = true,
        ["consumer_byte_rate"] = true,
        ["request_percentage"] = false,
        ["controller_mutation_rate"] = false,
    };
    private static readonly Dictionary<string, bool> IpKeys = new() { ["connection_creation_rate"] = true };

    private enum MatchType : sbyte
    {
        Exact = 0,
        Default = 1,
        Any = 2,
    }

    public static DescribeClientQuotasResponse Describe(DescribeClientQuotasRequest request) => CheckFilter(request) is { } wrong
        ? new DescribeClientQuotasResponse { ErrorCode = (short)wrong.Error, ErrorMessage = wrong.Message, Entries = null }
        : new DescribeClientQuotasResponse { Entries = [] };

    public static AlterClientQuotasResponse Alter(AlterClientQuotasRequest request) => new()
    {
        Entries = request.Entries.ConvertAll(entry =>
        {
            (ErrorCode error, string? message) = Check(entry) is { } wrong ? (ErrorCode.InvalidRequest, wrong) : Unsupported(entry.Ops);
            return new AlterClientQuotasResponse.Entry
            {
                ErrorCode = (short)error,
                ErrorMessage = message,
                Entity = entry.Entity.ConvertAll(e =>
                    new AlterClientQuotasResponse.Entry.EntityPart { EntityType = e.EntityType, EntityName = e.EntityName }),
            };
        }),
    };

    // To remove a quota that is not there changes nothing, in Kafka too.
    private static (ErrorCode Error, string? Message) Unsupported(List<AlterClientQuotasRequest.Entry.Operation> operations) =>
        operations.Find(o => !o.Remove) is { } set
            ? (ErrorCode.UnsupportedVersion,
                $"Quota {set.Key} is not set: the embedded Kafka throttles no client. Use Apache Kafka where quotas must hold.")
            : (ErrorCode.None, null);

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
                return (ErrorCode.InvalidRequest,
                    $"Request specified {(match == MatchType.Default ? "MATCH_TYPE_DEFAULT" : "MATCH_TYPE_SPECIFIED")}, but also "
                        + $"specified a match string.");
        }

        return seen.Contains(Ip) && seen.Count > 1
            ? (ErrorCode.InvalidRequest,
                "Invalid entity filter component combination. IP filter component should not be used with user or clientId filter "
                    + "component.")
            : null;
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
