using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.Archive;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Hosting.Archiving;

/// <summary>
/// Opens the archive of an application for a node. Where there is none one is made, as long as all events are in their topics: an archive
/// that is away, as a volume that is not mounted, must not be taken for one that is to be begun.
/// </summary>
internal sealed class ArchiveOpening(ApplicationDefinition application, KafkaConnection kafka)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    /// <summary>Opens the archive at <paramref name="location"/>, with what packages have added.</summary>
    /// <exception cref="InvalidInputException">The location is not one, or has no archive though events have left their topics.</exception>
    /// <exception cref="IOException">The place does not answer.</exception>
    public async Task<IArchiveStore> OpenAsync(string location, IEnumerable<IArchiveStoreProvider> providers,
        CancellationToken cancellationToken)
    {
        const string option = $"{nameof(KafkaEventSourcingOptions.Archive)}:{nameof(ArchiveOptions.Location)}";
        var places = new ArchiveStores(providers);
        try
        {
            return await places.OpenAsync(location, create: false, cancellationToken).ConfigureAwait(false);
        }
        catch (FormatException wrong)
        {
            throw new InvalidInputException(option, $"{option}: {wrong.Message}", wrong);
        }
        catch (ArchiveNotFoundException none)
        {
            if (await CutTopic(cancellationToken).ConfigureAwait(false) is { } cut)
                throw new InvalidInputException(option, $"{option}: {none.Message} Events have left {cut} already: bring back the archive "
                    + "that has them. 'kes archive create' makes one that begins with what is in the topics.", none);
            return await places.OpenAsync(location, create: true, cancellationToken).ConfigureAwait(false);
        }
    }

    // A topic of events that does not begin with its first record; null: none.
    private async Task<string?> CutTopic(CancellationToken cancellationToken)
    {
        using IAdminClient admin = kafka.BuildAdmin();
        HashSet<string> events = [.. application.Aggregates.Select(a => application.TopicsOf(a).Events)];
        foreach (TopicMetadata topic in admin.GetMetadata(Patience).Topics.Where(t => events.Contains(t.Topic)))
        {
            IReadOnlyDictionary<int, long> begins = await PartitionOffsets.ListAsync(admin,
                [.. topic.Partitions.Select(p => new TopicPartition(topic.Topic, p.PartitionId))], OffsetSpec.Earliest(), Patience,
                cancellationToken).ConfigureAwait(false);
            if (begins.Values.Any(b => b > 0))
                return topic.Topic;
        }

        return null;
    }
}
