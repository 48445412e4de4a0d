using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Hosting.Verification;

/// <summary>
/// The nodes that are members of an application's groups, as Kafka says. One that was killed is a member until its session time-out.
/// </summary>
internal static class GroupMembers
{
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// Completes when no node of the application runs. A member that joined would take partitions from nodes that serve, only to find out
    /// that it must not.
    /// </summary>
    /// <param name="application">The application.</param>
    /// <param name="kafka">Its cluster.</param>
    /// <param name="patience">How long nodes that were killed may take to be missed.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="TimeoutException">Nodes run; the message names them.</exception>
    public static async Task WaitForNone(ApplicationDefinition application, KafkaConnection kafka, TimeSpan patience, TimeProvider time,
        CancellationToken cancellationToken)
    {
        using IAdminClient admin = kafka.BuildAdmin();
        long started = time.GetTimestamp();
        using var timer = new PeriodicTimer(Look, time);
        while (await Task.Run(() => Names(application, admin), cancellationToken).ConfigureAwait(false) is { Length: > 0 } nodes)
        {
            if (time.GetElapsedTime(started) > patience)
            {
                throw new TimeoutException(
                    $"{nodes.Length} {(nodes.Length == 1 ? "node" : "nodes")} of {application.Name} run "
                        + $"at {kafka.BootstrapServers}: {string.Join(", ", nodes)}. "
                    + "Verifying compares all state stores: end the other nodes first. Nothing was taken from them.");
            }

            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    // Not DescribeConsumerGroups: in librdkafka that request can end the process by a failed assertion.
    private static string[] Names(ApplicationDefinition application, IAdminClient admin) =>
        [.. application.Aggregates.SelectMany(a => Members(admin, new TopicFamily(application.Name, a.Name).Group)).Distinct().Order(
            StringComparer.Ordinal)];

    private static IEnumerable<string> Members(IAdminClient admin, string group)
    {
        try
        {
            return admin.ListGroup(group, RequestTimeout) is { } found ? found.Members.Select(m => m.ClientId) : [];
        }
        catch (KafkaException unknown) when (unknown.Error.Code is ErrorCode.GroupIdNotFound or ErrorCode.GroupCoordinatorNotAvailable
            or ErrorCode.GroupLoadInProgress or ErrorCode.NotCoordinatorForGroup)
        {
            return []; // there is no such group yet, or its coordinator moves: joining will tell
        }
    }
}
