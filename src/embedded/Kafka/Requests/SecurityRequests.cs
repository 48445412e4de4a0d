using KafkaEventSourcing.Embedded.Kafka.Network;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>ACLs, as a node without an authorizer answers them; delegation tokens, which are disabled; SCRAM credentials.</summary>
internal sealed class SecurityRequests(Broker broker)
{
    private const string NoAuthorizer = "No Authorizer is configured.";

    public static DescribeAclsResponse DescribeAcls() => new() { ErrorCode = (short)ErrorCode.SecurityDisabled, ErrorMessage = NoAuthorizer };

    public static CreateAclsResponse CreateAcls(CreateAclsRequest request) => new()
    {
        Results = request.Creations.ConvertAll(_ => new CreateAclsResponse.Result { ErrorCode = (short)ErrorCode.SecurityDisabled, ErrorMessage = NoAuthorizer }),
    };

    public static DeleteAclsResponse DeleteAcls(DeleteAclsRequest request) => new()
    {
        FilterResults = request.Filters.ConvertAll(_ => new DeleteAclsResponse.FilterResult { ErrorCode = (short)ErrorCode.SecurityDisabled, ErrorMessage = NoAuthorizer }),
    };

    public DescribeUserScramCredentialsResponse DescribeScram(DescribeUserScramCredentialsRequest request)
    {
        string[] users = request.Users is { Count: > 0 } named ? [.. named.Select(u => u.Name)] : [.. broker.Scram.Users];
        return new DescribeUserScramCredentialsResponse
        {
            Results = [.. users.Distinct().Select(user =>
            {
                bool repeated = users.Count(u => u == user) > 1;
                IReadOnlyList<ScramCredential> credentials = broker.Scram.Of(user);
                (ErrorCode error, string? message) = repeated ? (ErrorCode.DuplicateResource, $"Cannot describe SCRAM credentials for the same user twice in a single request: {user}")
                    : credentials.Count == 0 ? (ErrorCode.ResourceNotFound, $"Attempt to describe a user credential that does not exist: {user}")
                    : (ErrorCode.None, (string?)null);
                return new DescribeUserScramCredentialsResponse.Result
                {
                    User = user,
                    ErrorCode = (short)error,
                    ErrorMessage = message,
                    CredentialInfos = error != ErrorCode.None ? [] : [.. credentials.Select(c => new DescribeUserScramCredentialsResponse.Result.CredentialInfo { Mechanism = (sbyte)c.Mechanism, Iterations = c.Iterations })],
                };
            })],
        };
    }

    public AlterUserScramCredentialsResponse AlterScram(AlterUserScramCredentialsRequest request)
    {
        var errors = new Dictionary<string, (ErrorCode Error, string? Message)>();
        foreach (string user in request.Deletions.Select(d => d.Name).Concat(request.Upsertions.Select(u => u.Name)))
            errors[user] = (ErrorCode.None, null);
        foreach (var repeated in request.Deletions.Select(d => (d.Name, d.Mechanism)).Concat(request.Upsertions.Select(u => (u.Name, u.Mechanism))).GroupBy(c => c).Where(g => g.Count() > 1))
            errors[repeated.Key.Name] = (ErrorCode.DuplicateResource, "A user credential cannot be altered twice in the same request");
        foreach (AlterUserScramCredentialsRequest.Upsertion upsertion in request.Upsertions)
        {
            if (errors[upsertion.Name].Error == ErrorCode.None && ScramCredential.Check(upsertion.Name, upsertion.Mechanism, upsertion.Iterations) is { } wrong)
                errors[upsertion.Name] = wrong;
        }

        foreach (AlterUserScramCredentialsRequest.Deletion deletion in request.Deletions)
        {
            if (errors[deletion.Name].Error == ErrorCode.None && broker.Scram.Find(deletion.Name, (ScramMechanism)deletion.Mechanism) is null)
                errors[deletion.Name] = (ErrorCode.ResourceNotFound, "Attempt to delete a user credential that does not exist");
        }

        broker.Scram.Change(
            [.. request.Deletions.Where(d => errors[d.Name].Error == ErrorCode.None).Select(d => (d.Name, (ScramMechanism)d.Mechanism))],
            [.. request.Upsertions.Where(u => errors[u.Name].Error == ErrorCode.None).Select(u => (u.Name, ScramCredential.FromSaltedPassword((ScramMechanism)u.Mechanism, u.Iterations, u.Salt.ToArray(), u.SaltedPassword.Span)))]);
        return new AlterUserScramCredentialsResponse
        {
            Results = [.. errors.Select(e => new AlterUserScramCredentialsResponse.Result { User = e.Key, ErrorCode = (short)e.Value.Error, ErrorMessage = e.Value.Message })],
        };
    }
}
