using System.Text;
using Clinic;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;

namespace KafkaEventSourcing.Integration.Tests.Personal;

/// <summary>Patients, whose names, photos and doctors' remarks are personal; the ward is not.</summary>
internal static class ClinicApplication
{
    public static ApplicationDefinition Named(string name) => EventSourcedApplication.Named(name, "A clinic.")
        .With(AggregateDefinition.Define("patient", new Patient())
            .Decides<Admit>((_, a) => Decision.Accept(
                new Admitted { Name = a.Name, Photo = a.Photo, Ward = a.Ward, Doctor = a.Doctor, Remark = a.Remark }))
            .Decides<Move>((patient, move) => Decision.Accept(new Moved { Ward = move.Ward, Name = patient.Name }))
            .Evolves<Admitted>((patient, a) => patient with
            {
                Name = a.Name, Photo = a.Photo, Ward = a.Ward, Doctor = a.Doctor, Remark = a.Remark,
            })
            .Evolves<Moved>((patient, moved) => patient with { Ward = moved.Ward, Name = moved.Name, Moves = patient.Moves + 1 })
            .Build())
        .Build();

    public static CommandEnvelope Of(string patient, object payload) =>
        new(AggregateId.Parse(patient), CommandId.New(TimeProvider.System), payload);

    /// <summary>Everything in the topics of <paramref name="application"/>, aborted and overwritten records too.</summary>
    public static byte[] TopicBytes(KafkaConnection kafka, string application)
    {
        ConsumerConfig config = kafka.BoundedReader("raw");
        config.IsolationLevel = IsolationLevel.ReadUncommitted;
        using IAdminClient admin = new AdminClientBuilder(kafka.Admin()).Build();
        TopicPartition[] partitions = [.. admin.GetMetadata(TimeSpan.FromSeconds(30)).Topics
            .Where(t => t.Topic.StartsWith(application + ".", StringComparison.Ordinal))
            .SelectMany(t => t.Partitions.Select(p => new TopicPartition(t.Topic, p.PartitionId)))];
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(config).Build();
        consumer.Assign(partitions.Select(p => new TopicPartitionOffset(p, Offset.Beginning)));
        using var all = new MemoryStream();
        for (int open = partitions.Length; open > 0;)
        {
            ConsumeResult<byte[], byte[]> record = consumer.Consume(TimeSpan.FromSeconds(30));
            if (record.IsPartitionEOF)
            {
                open--;
                continue;
            }

            all.Write(record.Message.Key ?? []);
            all.Write(record.Message.Value ?? []);
            foreach (IHeader header in record.Message.Headers)
                all.Write(header.GetValueBytes() ?? []);
        }

        return all.ToArray();
    }

    public static byte[] FileBytes(string folder)
    {
        using var all = new MemoryStream();
        foreach (string file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            using FileStream one = File.Open(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            one.CopyTo(all);
        }

        return all.ToArray();
    }

    public static bool Has(byte[] bytes, string value) => bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(value)) >= 0
        || bytes.AsSpan().IndexOf(Encoding.Unicode.GetBytes(value)) >= 0;
}
