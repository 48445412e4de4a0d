using KafkaEventSourcing.Embedded.Kafka.Network;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>AlterUserScramCredentials: adds and removes who can log in by SCRAM.</summary>
internal sealed class AlterUserScramCredentialsHandler(Broker broker)
{
    public AlterUserScramCredentialsResponse Handle(AlterUserScramCredentialsRequest request)
    {
        var errors = new Dictionary<string, (ErrorCode Error, string? Message)>();
        foreach (string user in request.Deletions.Select(d => d.Name).Concat(request.Upsertions.Select(u => u.Name)))
            errors[user] = (ErrorCode.None, null);
        foreach (var repeated in request.Deletions.Select(d => (d.Name, d.Mechanism)).Concat(
            request.Upsertions.Select(u => (u.Name, u.Mechanism))).GroupBy(c => c).Where(g => g.Count() > 1))
            errors[repeated.Key.Name] = (ErrorCode.DuplicateResource, "A user credential cannot be altered twice in the same request");
        foreach (AlterUserScramCredentialsRequest.Upsertion upsertion in request.Upsertions)
        {
            if (errors[upsertion.Name].Error == ErrorCode.None
                && ScramCredential.Check(upsertion.Name, upsertion.Mechanism, upsertion.Iterations) is { } wrong)
                errors[upsertion.Name] = wrong;
        }

        foreach (AlterUserScramCredentialsRequest.Deletion deletion in request.Deletions)
        {
            if (errors[deletion.Name].Error == ErrorCode.None
                && broker.Scram.Find(deletion.Name, (ScramMechanism)deletion.Mechanism) is null)
                errors[deletion.Name] = (ErrorCode.ResourceNotFound, "Attempt to delete a user credential that does not exist");
        }

        broker.Scram.Change(
            [.. request.Deletions.Where(d => errors[d.Name].Error == ErrorCode.None).Select(d => (d.Name, (ScramMechanism)d.Mechanism))],
            [.. request.Upsertions.Where(u => errors[u.Name].Error == ErrorCode.None).Select(u =>
                (u.Name, ScramCredential.FromSaltedPassword((ScramMechanism)u.Mechanism, u.Iterations, u.Salt.ToArray(),
                    u.SaltedPassword.Span)))]);
        return new AlterUserScramCredentialsResponse
        {
            Results = [.. errors.Select(e =>
                new AlterUserScramCredentialsResponse.Result
                {
                    User = e.Key, ErrorCode = (short)e.Value.Error, ErrorMessage = e.Value.Message,
                })],
        };
    }
}
