namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>What a node without an authorizer allows everybody, as bit fields of Kafka's <c>AclOperation</c> codes.</summary>
internal static class AuthorizedOperations
{
    private const int Read = 1 << 3, Write = 1 << 4, Create = 1 << 5, Delete = 1 << 6, Alter = 1 << 7, Describe = 1 << 8,
        ClusterAction = 1 << 9;
    private const int DescribeConfigs = 1 << 10, AlterConfigs = 1 << 11, IdempotentWrite = 1 << 12;

    public const int NotAsked = int.MinValue;
    public const int Topic = Read | Write | Create | Delete | Alter | Describe | DescribeConfigs | AlterConfigs;
    public const int Group = Read | Delete | Describe | DescribeConfigs | AlterConfigs;
    public const int Cluster = Create | ClusterAction | DescribeConfigs | AlterConfigs | IdempotentWrite | Alter | Describe;
}
