namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>The names of the deadlines of groups and their members.</summary>
internal static class GroupDeadline
{
    public static string Session(string group, string member) => Name("session", group, member);

    public static string Join(string group, string member = "") => Name("join", group, member);

    public static string Sync(string group, string member = "") => Name("sync", group, member);

    public static string Revocation(string group, string member) => Name("revocation", group, member);

    public static string Regexes(string group) => Name("regex", group);

    public static string TopicDeleted(string topic) => Name("deleted", topic);

    public static string Expiration { get; } = Name("expiration", "");

    private static string Name(string kind, string of, string member = "") => string.Join('\0', kind, of, member);
}
