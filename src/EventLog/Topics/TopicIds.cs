using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace KafkaEventSourcing.EventLog;

/// <summary>Asks a cluster for the ids of topics.</summary>
public static class TopicIds
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);
    // the broker that is asked may have died a moment ago; the next request may go to another one
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The ids of <paramref name="topics"/>; <see cref="TopicId.IsUnknown"/> where the cluster has no topic ids. A topic that is not there
    /// is not in the answer.
    /// </summary>
    /// <param name="admin">A client of the cluster; it must not create topics that it asks for.</param>
    /// <param name="topics">The topics.</param>
    /// <param name="patience">How long to ask brokers that do not answer, or do not know a topic (yet): they learn of a new one one after
    /// the other.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <exception cref="KafkaException">The cluster does not answer, or refuses to.</exception>
    public static async Task<IReadOnlyDictionary<string, TopicId>> OfAsync(
        IAdminClient admin, IEnumerable<string> topics, TimeSpan patience, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(admin);
        string[] names = [.. topics.Distinct()];
        long started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            bool isLast = TimeProvider.System.GetElapsedTime(started) >= patience;
            try
            {
                List<TopicDescription> described = await Describe(admin, names).ConfigureAwait(false);
                if (described.Find(d => d.Error.IsError && !IsMissing(d.Error)) is { } refused)
                {
                    if (isLast || !IsTransient(refused.Error))
                        throw new KafkaException(refused.Error);
                }
                else if (isLast || !described.Exists(d => d.Error.IsError))
                {
                    return described.Where(d => !d.Error.IsError).ToDictionary(d => d.Name,
                        d => TopicId.From(d.TopicId.MostSignificantBits, d.TopicId.LeastSignificantBits));
                }
            }
            catch (KafkaException away) when (!isLast && IsTransient(away.Error))
            {
                // The next request may go to another broker.
            }

            await Task.Delay(Look, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<List<TopicDescription>> Describe(IAdminClient admin, string[] names)
    {
        try
        {
            return (await admin.DescribeTopicsAsync(TopicCollection.OfTopicNames(names),
                new DescribeTopicsOptions { RequestTimeout = RequestTimeout }).ConfigureAwait(false)).TopicDescriptions;
        }
        catch (DescribeTopicsException some)
        {
            return some.Results.TopicDescriptions;
        }
    }

    private static bool IsMissing(Error error) => error.Code is ErrorCode.UnknownTopicOrPart or ErrorCode.LeaderNotAvailable;

    private static bool IsTransient(Error error) =>
        error.Code is ErrorCode.Local_TimedOut or ErrorCode.Local_Transport or ErrorCode.Local_AllBrokersDown
            or ErrorCode.Local_TimedOutQueue or ErrorCode.RequestTimedOut or ErrorCode.NotController
            or ErrorCode.NetworkException;
}
