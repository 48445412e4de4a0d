using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting;

/// <summary>What an application with personal data needs before anything of it is written or read.</summary>
internal static class PersonalData
{
    /// <summary>The keys of its subjects; null: none of <paramref name="types"/> has a field that is tagged.</summary>
    /// <exception cref="InvalidInputException">There is no master key, or not the one that is needed.</exception>
    public static async Task<SubjectKeys?> StartAsync(string application, IReadOnlyList<AvroRecordType> types, KafkaConnection kafka,
        ISchemaRegistryClient registry, KafkaEventSourcingOptions options, IServiceProvider? services, TimeProvider time,
        ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        const string Section = nameof(KafkaEventSourcingOptions.PersonalData);
        AvroRecordType[] personal = [.. types.Where(t => t.IsPersonal)];
        if (personal.Length == 0)
            return null;
        IMasterKeys masters = services?.GetService(typeof(IMasterKeys)) as IMasterKeys ?? options.PersonalData.Load()
            ?? throw new InvalidInputException(Section,
                $"{Section} names no master key, and {string.Join(", ", personal.Select(t => t.FullName))} "
                    + $"{(personal.Length == 1 ? "has" : "have")} fields that are tagged as personal: set {Section}:MasterKeyFile or "
                    + $"{Section}:MasterKey, or give the host an IMasterKeys.");
        using (var provisioner = new TopicProvisioner(kafka))
        {
            TopicPlan plan = await provisioner.PlanAsync(SubjectKeysTopic.DeclarationOf(application, options.ReplicationFactor),
                cancellationToken).ConfigureAwait(false);
            await provisioner.ApplyAsync(plan.OnlyMissingTopics(), cancellationToken).ConfigureAwait(false);
        }

        try
        {
            return await SubjectKeys.StartAsync(kafka, registry, application, masters,
                options.NodeId ?? $"node-{Guid.CreateVersion7(time.GetUtcNow()):N}", time, loggers, cancellationToken)
                .ConfigureAwait(false);
        }
        catch (MasterKeyException wrong)
        {
            throw new InvalidInputException(Section, $"{Section}: {wrong.Message}", wrong);
        }
    }
}
